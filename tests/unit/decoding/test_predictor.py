from __future__ import annotations

import logging
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_core.batching.length_batches import BatchBounds, batches_by_length, parallel_batches
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.phrases.wanted_phrases import Phrases
from seq2seq_core.decoding.prediction import Prediction, TextHypothesis
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import UserError

LETTERS = "abcdefghijklmnop"


def random_sources(seed: int, count: int = 15) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices(LETTERS, k=chance.randrange(1, 14))) for _ in range(count)]


@pytest.mark.parametrize("beam_size", [1, 4])
def test_predictions_come_in_the_order_of_the_sources_whatever_the_batches(
    predictor: Predictor, fresh_seed: int, beam_size: int
) -> None:
    sources = random_sources(fresh_seed)
    options = DecodingOptions(beam_size=beam_size, num_hypotheses=beam_size, max_length_ratio=1.0, max_length_offset=3)
    alone = [predictor.predict([source], options)[0] for source in sources]
    for batch_sentences in (1, 7, 64):
        together = predictor.predict(sources, options, batch_sentences)
        for one, other in zip(together, alone, strict=True):
            assert [hypothesis.text for hypothesis in one.hypotheses] == [hypothesis.text for hypothesis in other.hypotheses]
            np.testing.assert_allclose([h.score for h in one.hypotheses], [h.score for h in other.hypotheses], rtol=1e-6)


def test_a_beam_of_one_is_greedy_on_a_real_model(predictor: Predictor, fresh_seed: int) -> None:
    from seq2seq_core.batching.batch import collate_sources
    from seq2seq_core.decoding import beam_search, greedy

    assert predictor.bundle.source_tokenizer is not None
    source = collate_sources([[*ids, 3] for ids in predictor.bundle.source_tokenizer.encode(random_sources(fresh_seed))])
    options = DecodingOptions(beam_size=1)
    by_beam = beam_search.decode(predictor.bundle.model, source, options)
    by_greedy = greedy.decode(predictor.bundle.model, source, options)
    assert [found[0].ids for found in by_beam] == [found[0].ids for found in by_greedy]


def test_hypotheses_are_ordered_and_the_first_is_the_prediction(predictor: Predictor) -> None:
    (prediction,) = predictor.predict(["abc"], DecodingOptions(beam_size=4, num_hypotheses=3, max_length=5))
    assert len(prediction.hypotheses) == 3
    assert prediction.text == prediction.hypotheses[0].text
    assert prediction.score == prediction.hypotheses[0].score
    assert [h.score for h in prediction.hypotheses] == sorted((h.score for h in prediction.hypotheses), reverse=True)


def test_a_source_without_text_becomes_an_empty_prediction(predictor: Predictor) -> None:
    with_text, without = predictor.predict(["abc"])[0], predictor.predict(["", "abc", " \t ", "\u200b \ufeff"])
    assert [prediction.text for prediction in without] == ["", with_text.text, "", ""]
    assert [without[place].score for place in (0, 2, 3)] == [0.0] * 3
    assert predictor.predict([]) == []


def test_unknown_characters_and_lone_surrogates_do_not_stop_the_others(predictor: Predictor) -> None:
    assert len(predictor.predict(["日本", "a\ud800", "abc"], DecodingOptions(max_length=3))) == 3


def test_symbols_that_the_model_does_not_know_are_told_once(predictor: Predictor, caplog: pytest.LogCaptureFixture) -> None:
    own, options = Predictor(predictor.bundle), DecodingOptions(max_length=3)
    with caplog.at_level(logging.WARNING):
        for sources in (["abc", "a日b日", "é c"], ["日", "abc"], ["".join(map(chr, range(0x430, 0x450))), "ы"], ["ю"]):
            own.predict(sources, options)
    told = "sources have symbols that the model does not know: "
    first, second = caplog.messages
    assert first == f"{told}'日' (U+65E5), 'é' (U+00E9); it reads each of them as the same unknown symbol"
    assert second.startswith(f"{told}'а' (U+0430), 'б' (U+0431), ")
    assert second.endswith("symbol; further ones are not told")
    assert second.count("U+") == 18


def test_symbols_that_were_looked_at_cost_nothing_more(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    own, tokenizer = Predictor(predictor.bundle), predictor.bundle.source_tokenizer
    assert tokenizer is not None
    encoded = list[Sequence[str]]()
    encode = tokenizer.encode
    monkeypatch.setattr(tokenizer, "encode", lambda texts: encoded.append(texts) or encode(texts))  # type: ignore[func-returns-value]
    for _ in range(3):
        own.predict(["aé", "bé"], DecodingOptions(max_length=1))
    assert encoded == [["aé", "bé"], ["a", "é", "b"], ["aé", "bé"], [], ["aé", "bé"], []]


def test_a_source_that_is_too_long_is_cut_with_a_warning(predictor: Predictor, caplog: pytest.LogCaptureFixture) -> None:
    options = DecodingOptions(max_source_tokens=5, max_length=4)
    with caplog.at_level(logging.WARNING):
        cut = predictor.predict(["ab", "abcdefgh", "abcde"], options)
    assert cut[1].text == cut[2].text == predictor.predict(["abcd"], options)[0].text
    assert [record.getMessage() for record in caplog.records] == [
        "2 of 3 sources have more than 5 tokens and are cut there; the first is number 2 with 9 tokens"
    ]


def test_attention_names_its_pieces_and_sums_to_one(predictor: Predictor) -> None:
    alignment = predictor.attention("ab c", DecodingOptions(beam_size=3, max_length=4))
    assert alignment is not None
    source_pieces, target_pieces, matrix_TS = alignment
    assert source_pieces == ["a", "b", "▁", "c", "</s>"]
    assert target_pieces[-1] == "</s>"
    assert " ".join(target_pieces[:-1]) == predictor.predict(["ab c"], DecodingOptions(beam_size=3, max_length=4))[0].text
    assert matrix_TS.shape == (len(target_pieces), len(source_pieces))
    np.testing.assert_allclose(matrix_TS.sum(1), 1.0, atol=1e-5)


def test_attention_of_an_empty_source_is_refused(predictor: Predictor) -> None:
    with pytest.raises(ValueError, match="attention needs a source with some text"):
        predictor.attention(" ")


def test_every_hypothesis_carries_its_own_alignment_where_that_is_asked_for(predictor: Predictor) -> None:
    options = DecodingOptions(beam_size=3, num_hypotheses=2, max_length=4)
    predictions = predictor.predict(["abc", "", "de"], options, keep_alignments=True)
    assert predictions == predictor.predict(["abc", "", "de"], options)
    assert predictions[1].hypotheses[0].alignment is None
    for prediction, length in ((predictions[0], 4), (predictions[2], 3)):
        for hypothesis in prediction.hypotheses:
            assert hypothesis.alignment is not None
            assert " ".join(hypothesis.alignment.target_pieces[:-1]) == hypothesis.text
            assert hypothesis.alignment.weights_TS.shape == (len(hypothesis.alignment.target_pieces), length)
    assert {h.alignment for p in predictor.predict(["abc", "", "de"], options) for h in p.hypotheses} == {None}


def test_a_model_without_attention_has_no_alignment(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    step = predictor.bundle.model.step

    def step_without_attention(*arguments: Any) -> Any:
        output = step(*arguments)
        return SimpleNamespace(logits_NV=output.logits_NV, state=output.state, attention_NS=None)

    monkeypatch.setattr(predictor.bundle.model, "step", step_without_attention)
    for beam_size in (1, 3):
        assert predictor.attention("abc", DecodingOptions(beam_size=beam_size, max_length=4)) is None


@pytest.mark.parametrize("beam_size", [1, 3])
def test_a_target_begins_with_its_prefix(predictor: Predictor, fresh_seed: int, beam_size: int) -> None:
    chance, sources = random.Random(fresh_seed), [*random_sources(fresh_seed, 8), "", " "]
    prefixes = [" ".join(chance.choices(["aa", "bb", "cc"], k=chance.randrange(4))) for _ in sources]
    prefixes[-2:] = ["", "aa"]
    options = DecodingOptions(beam_size=beam_size, num_hypotheses=beam_size, max_length=6)
    predictions = predictor.predict(sources, options, batch_sentences=3, prefixes=prefixes)
    for prefix, prediction in zip(prefixes, predictions, strict=True):
        assert all(f"{hypothesis.text} ".startswith(f"{prefix} ".lstrip()) for hypothesis in prediction.hypotheses)
    assert [(p.text, p.score) for p in predictions[-2:]] == [("", 0.0), ("aa", 0.0)]


def test_as_many_prefixes_as_sources_are_expected(predictor: Predictor) -> None:
    with pytest.raises(ValueError, match=r"^expected a prefix for each of 2 sources, got 1$"):
        predictor.predict(["a", "b"], prefixes=["aa"])


def test_predictions_are_the_same_after_loading_again(bundle_folder: Path, fresh_seed: int) -> None:
    sources = random_sources(fresh_seed)
    options = DecodingOptions(max_length=6)
    assert Predictor.from_folder(bundle_folder).predict(sources, options) == Predictor.from_folder(bundle_folder).predict(
        sources, options
    )


def test_a_device_that_is_not_there_is_named(bundle_folder: Path) -> None:
    count = torch.cuda.device_count()
    with pytest.raises(UserError) as caught:
        Predictor.from_folder(bundle_folder, device=f"cuda:{count}")
    assert str(caught.value) == (f"device: cuda:{count} is not there; PyTorch sees {count} CUDA devices (cpu and auto always work)")
    with pytest.raises(UserError, match="device: must be auto, cpu, cuda or cuda:N, got 'gpu'"):
        Predictor.from_folder(bundle_folder, device="gpu")


def test_batches_hold_like_lengths_and_keep_both_bounds() -> None:
    lengths = [3, 0, 9, 4, 4, 100, 1]
    batches = batches_by_length(lengths, BatchBounds(max_rows=3, max_tokens=20))
    assert batches == [[5], [2, 3], [4, 0, 6]]
    assert batches_by_length([], BatchBounds(3, 20)) == []


@pytest.mark.parametrize(
    ("num_rows", "num_parallel", "sizes"),
    [
        (64, 1, [64]),
        (64, 2, [32, 32]),
        (65, 2, [33, 32]),
        (150, 2, [38, 37, 38, 37]),  # in place of 64, 64 and 22, of which one core would get two
        (7, 2, [7]),  # too few
        (20, 8, [10, 10]),
        (640, 2, [64] * 10),  # so many that the end does not matter
        (0, 2, []),
    ],
)
def test_few_batches_are_cut_so_that_all_cores_have_work(num_rows: int, num_parallel: int, sizes: list[int]) -> None:
    batches = parallel_batches([5] * num_rows, BatchBounds(64, 1000), num_parallel, fewest_rows=8)
    assert [len(batch) for batch in batches] == sizes
    assert sorted(place for batch in batches for place in batch) == list(range(num_rows))


def test_cores_get_as_many_tokens_as_each_other_and_bounds_still_hold() -> None:
    lengths = [40, 40, *[10] * 16]
    batches = parallel_batches(lengths, BatchBounds(64, 1000), 2, fewest_rows=2)
    assert [len(batch) for batch in batches] == [6, 12]
    assert [sum(lengths[place] for place in batch) for batch in batches] == [120, 120]
    assert max(map(len, parallel_batches(lengths, BatchBounds(8, 1000), 2, fewest_rows=2))) == 8


def whole(predictions: Sequence[Prediction]) -> list[list[TextHypothesis]]:
    """The hypotheses as of sources that were read whole."""
    return [[replace(one, source_is_cut=False) for one in row.hypotheses] for row in predictions]


def test_a_bundle_cuts_its_sources_where_they_were_cut_in_training(predictor: Predictor, caplog: pytest.LogCaptureFixture) -> None:
    config = predictor.bundle.config.model_copy(update={"max_source_tokens": 5})
    cutting = Predictor(replace(predictor.bundle, config=config))
    options = DecodingOptions(max_length=6)
    with caplog.at_level(logging.WARNING):
        found = cutting.predict(["abcdefgh", "abcd", "abc"], options)
    assert [one.source_is_cut for one in found] == [True, False, False]
    assert whole(found) == whole(predictor.predict(["abcd", "abcd", "abc"], options))
    told = "1 of 3 sources have more than 5 tokens and are cut there; the first is number 1 with 9 tokens"
    assert [record.getMessage() for record in caplog.records] == [told]
    shorter = cutting.predict(["abcd"], DecodingOptions(max_length=6, max_source_tokens=3))
    assert shorter[0].source_is_cut
    assert whole(shorter) == whole(predictor.predict(["ab"], options))
    assert cutting.score(["abcdefgh"], ["aa"]) == predictor.score(["abcd"], ["aa"])


@pytest.mark.parametrize(
    "sources", [None, 3, {"a": "b"}, b"abc", iter(["abc"])], ids=["none", "number", "dict", "bytes", "iterator"]
)
def test_sources_of_another_type_are_refused(predictor: Predictor, sources: Any) -> None:
    with pytest.raises(
        TypeError, match=r"^sources must be a text, the name of a recording or picture, or frames, or a sequence of these, got "
    ):
        predictor.predict(sources)


@pytest.mark.parametrize(
    ("phrases", "message"),
    [
        (
            {"force": ["a"]},
            "phrases must be Phrases(force=..., forbid=..., glossary=...), or these for each source, got dict {",
        ),
        ("abc", "phrases must be Phrases(force=..., forbid=..., glossary=...), or these for each source, got str 'abc'"),
        ([{"force": ["a"]}], "phrases must have Phrases(force=..., forbid=..., glossary=...) for each source, got dict {'force'"),
        (["abc"], "phrases must have Phrases(force=..., forbid=..., glossary=...) for each source, got str 'abc'"),
    ],
)
def test_phrases_of_another_type_are_refused(predictor: Predictor, phrases: Any, message: str) -> None:
    for sources in (["abc"], "abc"):
        with pytest.raises(TypeError, match="^" + re.escape(message)):
            predictor.predict(sources, phrases=phrases)


@pytest.mark.parametrize("name", ["force", "forbid"])
@pytest.mark.parametrize("given", ["2031", b"2031", {"a": "b"}, None, 3], ids=repr)
def test_a_text_is_no_sequence_of_phrases(name: str, given: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{name} must be a sequence of texts such as \('2031',\), got "):
        Phrases(**{name: given})
    with pytest.raises(TypeError, match=r"^glossary must be a mapping of terms to phrases, got \['May'\]"):
        Phrases(glossary=["May"])  # type: ignore[arg-type]
