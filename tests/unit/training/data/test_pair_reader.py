from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from seq2seq_core.batching.batch import Batch, collate
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.config.regularization import SubwordSampling
from seq2seq_core.errors import UserError
from seq2seq_core.tokenization.special_tokens import EOS_ID, UNK_ID
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.training.data.pair_reader import ResegmentedPairs

INDICES = np.arange(20)


def make_reader(folder: Path, **settings: Any) -> ResegmentedPairs:
    models = [SubwordModel.load(folder / f"{side}.model") for side in ("source", "target")]
    section = SubwordSampling.model_validate({"sides": "both", "alpha": 0.5} | settings)
    return ResegmentedPairs(TokenizedDataset.open(folder, "train"), models[0], models[1], section)


def same(first: Batch, second: Batch) -> bool:
    """Whether two batches have the same ids on both sides."""
    pairs = ((first.source.values, second.source.values), (first.target_out_BT, second.target_out_BT))
    return all(one.shape == other.shape and torch.equal(one, other) for one, other in pairs)


def texts(reader: ResegmentedPairs, batch: Batch) -> list[tuple[str, str]]:
    assert reader.source_tokenizer is not None
    sources = reader.source_tokenizer.decode(batch.source.values.tolist())
    return list(zip(sources, reader.target_tokenizer.decode(batch.target_out_BT.tolist()), strict=True))


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_another_segmentation_has_the_same_text_and_depends_on_the_seed_alone(
    tokenize_words: Callable[[str], Path], kind: str
) -> None:
    reader = make_reader(tokenize_words(kind))
    stored = collate(reader.dataset, INDICES)
    batches = [reader.read(INDICES, seed) for seed in (7, 7, 8)]
    assert all(texts(reader, batch) == texts(reader, stored) for batch in batches)
    assert same(batches[0], batches[1])
    assert not same(batches[0], batches[2])
    assert not same(batches[0], stored)
    assert all(row[row > 0][-1] == EOS_ID for row in batches[0].target_out_BT)
    assert torch.equal(batches[0].target_in_BT[:, 1:][batches[0].target_out_BT[:, 1:] > 0],
                       batches[0].target_out_BT[:, :-1][batches[0].target_out_BT[:, 1:] > 0])  # fmt: skip


@pytest.mark.parametrize(("sides", "is_stored"), [("source", (False, True)), ("target", (True, False))])
def test_only_the_sides_asked_for_are_segmented_anew(
    tokenize_words: Callable[[str], Path], sides: str, is_stored: tuple[bool, bool]
) -> None:
    reader = make_reader(tokenize_words("unigram"), sides=sides)
    stored, batch = collate(reader.dataset, INDICES), reader.read(INDICES, 7)
    equal = [one.shape == other.shape and torch.equal(one, other) for one, other in
             ((batch.source.values, stored.source.values), (batch.target_out_BT, stored.target_out_BT))]  # fmt: skip
    assert tuple(equal) == is_stored


def test_a_pair_gets_the_same_segmentation_in_whatever_batch_it_is(tokenize_words: Callable[[str], Path]) -> None:
    reader = make_reader(tokenize_words("bpe"))
    together, alone = reader.read(INDICES, 7), reader.read(INDICES[4:5], 7)
    row = together.source.values[4]
    assert row[row > 0].tolist() == alone.source.values[0].tolist()


def test_unigram_draws_by_the_probability_to_the_power_of_alpha(tokenize_words: Callable[[str], Path]) -> None:
    model = SubwordModel.load(tokenize_words("unigram") / "source.model")
    text, alpha = "abc", 0.4
    best = model._processor.nbest_encode(text, nbest_size=500)
    scores = np.array([sum(model._processor.get_score(id_) for id_ in ids) for ids in best])
    expected = np.exp(alpha * (scores - scores.max()))
    expected /= expected.sum()
    assert len(best) > 1
    for nbest in (-1, 500):
        counts = Counter(tuple(model.sample(text, alpha, nbest, seed)) for seed in range(3000))
        found = np.array([counts[tuple(ids)] for ids in best]) / 3000
        assert np.abs(found - expected).max() < 0.04


def test_bpe_without_dropout_gives_the_stored_segmentation_and_with_all_of_it_single_characters(
    tokenize_words: Callable[[str], Path],
) -> None:
    model = SubwordModel.load(tokenize_words("bpe") / "source.model")
    assert model.sample("abcdef", 0.0, -1, 3) == model.encode(["abcdef"])[0]
    assert "".join(model.pieces(model.sample("abcdef", 1.0, -1, 3))) == "▁abcdef"
    assert len(model.sample("abcdef", 1.0, -1, 3)) == 7


def test_a_kind_with_one_segmentation_gives_it(tokenize_words: Callable[[str], Path]) -> None:
    model = SubwordModel.load(tokenize_words("char") / "source.model")
    assert model.sample("abc", 0.5, -1, 3) == model.encode(["abc"])[0]


def test_a_row_with_an_unknown_symbol_stays_as_it_is(tokenize_words: Callable[[str], Path]) -> None:
    reader = make_reader(tokenize_words("unigram"), alpha=0.0)
    assert reader.source_tokenizer is not None
    (known,) = reader.source_tokenizer.encode(["abcabc"])
    ids = np.array([*known, UNK_ID, EOS_ID], dtype=np.int32)
    assert all(reader._resegment(reader.source_tokenizer, ids, seed) is ids for seed in range(5))


@pytest.mark.parametrize("sides", ["source", "both"])
def test_frames_have_no_segmentation(tokenize_words: Callable[[str], Path], sides: str) -> None:
    folder = tokenize_words("unigram")
    models = [SubwordModel.load(folder / f"{side}.model") for side in ("source", "target")]
    frames = cast(TokenizedDataset, SimpleNamespace(num_features=4))
    message = f"train.subword_sampling.sides: must be 'none' or 'target' where the sources are frames, got '{sides}'"
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        ResegmentedPairs(frames, models[0], models[1], SubwordSampling.model_validate({"sides": sides}))
