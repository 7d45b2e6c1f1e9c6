"""CTranslate2 against the reference: the same texts, scores and cuts, whatever the options; and what is left to the reference."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_core.bundle.bundle import load_bundle
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.engines.ctranslate2_engine import CTranslate2Engine
from seq2seq_core.decoding.hypothesis import Hypothesis
from seq2seq_core.decoding.phrases.wanted_phrases import Phrases
from seq2seq_core.decoding.prediction import Prediction
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import BundleError, DecodingStopped, NonFiniteOutput
from tests.unit.decoding.engines.conftest import TAG, random_words

WORDS = [*random_words(70, 7), "", "aabbccddee", "hhhhhhhh"]
TAGS = [{TAG: ("plain", "other")[place % 2]} for place in range(len(WORDS))]
LIMIT = {"max_length_ratio": 0.8, "max_length_offset": 1}


class Counted:
    """The reference, which counts the sentences that are left to it."""

    def __init__(self, engine: CTranslate2Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sentences, decode = 0, engine.reference.decode

        def count(rows: Sequence[Any], *arguments: Any, **named: Any) -> list[list[Hypothesis]]:
            self.sentences += len(rows)
            return decode(rows, *arguments, **named)

        monkeypatch.setattr(engine.reference, "decode", count)


@pytest.fixture(scope="module")
def predictors(served_folder: Path) -> tuple[Predictor, Predictor]:
    """By CTranslate2 on three cores, and by the reference alone."""
    bundle = load_bundle(served_folder)
    torch.set_num_threads(3)
    try:
        found = Predictor(bundle)
    finally:
        torch.set_num_threads(1)
    return found, Predictor(bundle, uses_engine=False)


@pytest.fixture
def counted(predictors: tuple[Predictor, Predictor], monkeypatch: pytest.MonkeyPatch) -> Counted:
    engine = predictors[0].engine
    assert isinstance(engine, CTranslate2Engine)
    assert (engine.compute_type, engine.label.partition(" ")[0]) == ("float32", "ctranslate2")
    return Counted(engine, monkeypatch)


def assert_alike(found: Sequence[Prediction], expected: Sequence[Prediction]) -> None:
    assert [one.text for one in found] == [one.text for one in expected]
    assert [one.is_cut for one in found] == [one.is_cut for one in expected]
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.score == pytest.approx(theirs.score, abs=1e-4)
        assert mine.log_probability == pytest.approx(theirs.log_probability, abs=1e-4)
    assert len({one.text for one in found}) > len(found) // 2  # the model answers differently to different sources


@pytest.mark.parametrize(
    "options", [{"beam_size": 1}, {}, {"length_penalty": 0.0}, {"beam_size": 4, "length_penalty": 0.6}, {"beam_size": 6}], ids=str
)
@pytest.mark.parametrize("batch_sentences", [1, 7, 64])
def test_texts_and_scores_are_those_of_the_reference(
    predictors: tuple[Predictor, Predictor], counted: Counted, options: dict[str, Any], batch_sentences: int
) -> None:
    chosen = DecodingOptions.model_validate(options)
    found = predictors[0].predict(WORDS, chosen, batch_sentences, tags=TAGS)
    assert counted.sentences < len(WORDS) // 4  # CTranslate2 did it
    assert_alike(found, predictors[1].predict(WORDS, chosen, tags=TAGS))


def test_batches_are_decoded_at_the_same_time_one_for_each_core(
    predictors: tuple[Predictor, Predictor], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = predictors[0].engine
    assert isinstance(engine, CTranslate2Engine)
    assert (engine.num_parallel, engine.translator.num_translators) == (3, 3)
    together, search = threading.Barrier(3, timeout=60), engine._search
    sizes: list[int] = []

    def meet(sentences: Sequence[Any], *arguments: Any) -> Any:
        if len(sizes) < 3:
            sizes.append(len(sentences))
            together.wait()  # breaks unless three searches run at the same time
        return search(sentences, *arguments)

    monkeypatch.setattr(engine, "_search", meet)
    found = predictors[0].predict(WORDS, DecodingOptions(beam_size=1), 64, tags=TAGS)
    assert min(sizes) > 10
    monkeypatch.undo()
    assert found == predictors[0].predict(WORDS, DecodingOptions(beam_size=1), 64, tags=TAGS)


def test_numbers_that_are_not_finite_are_told_of_the_source_at_fault(
    predictors: tuple[Predictor, Predictor], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(rows: Sequence[Any], *_: Any, **__: Any) -> list[list[Hypothesis]]:
        raise NonFiniteOutput(len(rows) - 1)

    monkeypatch.setattr(predictors[0].engine.reference, "decode", fail)  # type: ignore[attr-defined]
    words = ["abcdefgh", "ab", "", "abcdefghabcdefgh", "abc"]  # the fourth has more positions than the converted model
    monkeypatch.setattr(predictors[0].engine, "max_positions", 12)
    with pytest.raises(NonFiniteOutput, match=r"^source 4: "):
        predictors[0].predict(words, DecodingOptions(beam_size=1), tags=TAGS[:5])


@pytest.mark.parametrize("beam_size", [1, 5])
def test_forced_prefixes_count_in_the_scores(predictors: tuple[Predictor, Predictor], counted: Counted, beam_size: int) -> None:
    options = DecodingOptions(beam_size=beam_size)
    prefixes = [("", word[::-1][:2], word[:0:-1])[place % 3] for place, word in enumerate(WORDS)]
    found = predictors[0].predict(WORDS, options, 7, prefixes, tags=TAGS)
    assert all(one.text.startswith(prefix) for one, prefix in zip(found, prefixes, strict=True))
    assert counted.sentences < len(WORDS) // 2
    assert_alike(found, predictors[1].predict(WORDS, options, 64, prefixes, tags=TAGS))


@pytest.mark.parametrize("beam_size", [1, 5])
def test_each_sentence_has_its_own_length_limit(predictors: tuple[Predictor, Predictor], counted: Counted, beam_size: int) -> None:
    options = DecodingOptions.model_validate(LIMIT | {"beam_size": beam_size})
    prefixes = [("", word[::-1][:2])[place % 2] for place, word in enumerate(WORDS)]
    for beginnings in (None, prefixes):
        found = predictors[0].predict(WORDS, options, 64, beginnings, tags=TAGS)
        assert_alike(found, predictors[1].predict(WORDS, options, 64, beginnings, tags=TAGS))
        assert sum(one.is_cut for one in found) > len(WORDS) // 4
    assert counted.sentences < len(WORDS) // 4  # of both calls


@pytest.mark.parametrize(
    "options",
    [
        {"min_length": 4},
        {"no_repeat_ngram_size": 2},
        {"num_hypotheses": 3},
        {"length_penalty": 2.0},
        {"beam_size": 8},
        {"method": "sampling", "seed": 3},
        {"method": "sampling", "selection": "mbr", "mbr_samples": 4},
    ],
    ids=str,
)
def test_what_would_mean_something_else_is_left_to_the_reference_and_said_once(
    predictors: tuple[Predictor, Predictor], options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    chosen = DecodingOptions.model_validate(options)
    predictors[0]._told.clear()
    with caplog.at_level(logging.INFO, "seq2seq_core.decoding"):
        found = [predictors[0].predict(WORDS, chosen, tags=TAGS) for _ in range(2)]
    assert found[0] == found[1] == predictors[1].predict(WORDS, chosen, tags=TAGS)
    reason = predictors[0].engine.why_not(chosen)
    assert caplog.messages == [f"PyTorch decodes, at float32, and not ctranslate2: {reason}"]


def test_alignments_are_those_of_the_reference(predictors: tuple[Predictor, Predictor]) -> None:
    (found,), (expected,) = (
        one.predict(["abcdef"], keep_alignments=True, tags=TAGS[:1]) for one in predictors
    )  # fmt: skip
    assert found == expected
    alignment = found.hypotheses[0].alignment
    assert alignment is not None
    assert alignment.weights_TS.shape == (len(found.text) + 1, 7)


def test_sources_beyond_the_positions_of_the_converted_model_are_left_to_the_reference(
    predictors: tuple[Predictor, Predictor], counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, options = predictors[0].engine, DecodingOptions(beam_size=1)
    monkeypatch.setattr(engine, "max_positions", 6)
    found = predictors[0].predict(WORDS, options, tags=TAGS)
    assert counted.sentences > 20
    assert_alike(found, predictors[1].predict(WORDS, options, tags=TAGS))


def test_a_search_that_needs_more_room_is_done_again(
    predictors: tuple[Predictor, Predictor], counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seq2seq_core.decoding.engines.ctranslate2_engine.FIRST_BOUND", 5)
    found = predictors[0].predict(WORDS, DecodingOptions(), tags=TAGS)
    assert counted.sentences < len(WORDS) // 4
    assert_alike(found, predictors[1].predict(WORDS, DecodingOptions(), tags=TAGS))


@pytest.mark.parametrize(("beam_size", "answers"), [(1, [False, False, True]), (5, [True])])
def test_decoding_ends_when_it_is_told_to(
    predictors: tuple[Predictor, Predictor], beam_size: int, answers: list[bool], counted: Counted
) -> None:
    told: Iterator[bool] = iter(answers)
    with pytest.raises(DecodingStopped):
        predictors[0].predict(WORDS[:5], DecodingOptions(beam_size=beam_size), tags=TAGS[:5], stop=lambda: next(told, True))
    assert next(told, None) is None
    assert counted.sentences == 0


def test_a_changed_byte_is_refused_before_ctranslate2_reads_it(
    served_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(served_folder, tmp_path / "served")
    monkeypatch.setattr("ctranslate2.Translator", lambda *_, **__: pytest.fail("read"))
    bundle = load_bundle(tmp_path / "served")
    file = tmp_path / "served" / "ctranslate2.bin"
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    file.write_bytes(content)
    with pytest.raises(BundleError, match=r"ctranslate2\.bin: damaged or exchanged: its SHA-256 is [0-9a-f]{64}, expected"):
        load_bundle(tmp_path / "served")
    with pytest.raises(BundleError, match="damaged or exchanged"):  # exchanged after the bundle was loaded
        Predictor(bundle)
    file.unlink()
    with pytest.raises(BundleError, match=r"ctranslate2\.bin: no such file; a bundle holds .*, ctranslate2\.bin"):
        load_bundle(tmp_path / "served")


def test_sentences_with_phrases_are_left_to_the_reference_and_the_others_are_not(
    predictors: tuple[Predictor, Predictor], counted: Counted, caplog: pytest.LogCaptureFixture
) -> None:
    options, phrases = DecodingOptions(beam_size=3), Phrases(glossary={WORDS[3]: "hh"})
    plain = predictors[0].predict(WORDS, options, tags=TAGS)
    predictors[0]._told.clear()
    before = counted.sentences
    with caplog.at_level(logging.INFO, "seq2seq_core.decoding"):
        found = predictors[0].predict(WORDS, options, tags=TAGS, phrases=phrases)
    asked = [place for place, word in enumerate(WORDS) if word == WORDS[3]]
    others = [place for place in range(len(WORDS)) if place not in asked]
    assert_alike([found[place] for place in others], [plain[place] for place in others])
    assert [found[place] for place in asked] == predictors[1].predict(
        [WORDS[place] for place in asked], options, tags=[TAGS[place] for place in asked], phrases=phrases
    )
    assert counted.sentences - before >= len(asked)
    assert caplog.messages == ["PyTorch decodes, at float32, and not ctranslate2: it cannot force or forbid phrases"]
