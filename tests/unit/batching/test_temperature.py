from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from seq2seq_core.batching import windows
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.batching.temperature import TemperatureSampler, share_draws
from seq2seq_core.errors import UserError
from seq2seq_core.tokenization.ragged import groups_path, write_ragged

SIZES = (800, 160, 40)


@pytest.fixture
def dataset(tmp_path: Path, fresh_random: random.Random) -> TokenizedDataset:
    """Pairs of three groups, mixed, of random lengths."""
    groups = [group for group, size in enumerate(SIZES) for _ in range(size)]
    fresh_random.shuffle(groups)
    for side in ("source", "target"):
        write_ragged(tmp_path, "train", side, [[5] * fresh_random.randrange(1, 30) for _ in groups])
    np.save(groups_path(tmp_path, "train"), np.array(groups, dtype=np.int32))
    return TokenizedDataset.open(tmp_path, "train")


def count_groups(dataset: TokenizedDataset, places: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[int]:
    assert dataset.groups is not None
    return list(map(int, np.bincount(dataset.groups[places], minlength=3)))


@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0, 1e9])
def test_a_group_is_drawn_in_proportion_to_its_size_to_the_power_of_one_by_the_temperature(
    dataset: TokenizedDataset, temperature: float
) -> None:
    weights = np.array(SIZES) ** (1 / temperature)
    expected = 1000 * weights / weights.sum()
    sampler = TemperatureSampler(dataset, 300, 1, temperature)
    for epoch in (0, 3):
        places = np.concatenate(sampler.epoch_batches(epoch))
        assert len(places) == 1000
        assert np.abs(np.array(count_groups(dataset, places)) - expected).max() < 1
        assert count_groups(dataset, places) == sampler.draws.tolist()


def test_within_a_group_no_pair_is_drawn_twice_more_than_another(dataset: TokenizedDataset) -> None:
    sampler, drawn = TemperatureSampler(dataset, 300, 1, 5.0), np.zeros(1000, dtype=np.int64)
    for epoch in range(6):
        counts = np.bincount(np.concatenate(sampler.epoch_batches(epoch)), minlength=1000)
        for group in range(3):
            own = counts[dataset.groups == group]
            assert own.max() - own.min() <= 1
        drawn += counts
    assert (drawn > 0).mean() > 0.9  # of the large group another part comes in each epoch


def test_the_batches_keep_the_budget_and_depend_on_seed_and_epoch_alone(dataset: TokenizedDataset) -> None:
    def batches(seed: int, epoch: int) -> list[list[int]]:
        return [batch.tolist() for batch in TemperatureSampler(dataset, 300, seed, 3.0).epoch_batches(epoch)]

    sampler = TemperatureSampler(dataset, 300, 1, 3.0)
    assert [batch.tolist() for batch in sampler.epoch_batches(4)] == batches(1, 4)
    assert batches(1, 4) != batches(1, 5)
    assert batches(1, 4) != batches(2, 4)
    assert sampler.num_batches == len(batches(1, 0))
    costs = [
        len(batch) * int(dataset.source_lengths[batch].max() + dataset.target_lengths[batch].max())
        for batch in sampler.epoch_batches(0)
    ]
    assert max(costs) <= 300


def test_a_part_of_the_pairs_keeps_their_groups(dataset: TokenizedDataset) -> None:
    assert dataset.groups is not None
    part = dataset.select(np.flatnonzero(dataset.groups != 1))
    assert TemperatureSampler(part, 300, 1, 1e9).draws.tolist() == [420, 0, 420]
    assert TemperatureSampler(part.select(np.zeros(0, dtype=np.int64)), 300, 1, 2.0).epoch_batches(0) == []


def test_every_draw_is_given_away() -> None:
    assert share_draws(np.array([1, 1, 1]), 2.0, 10).tolist() == [4, 3, 3]
    assert share_draws(np.array([0, 7]), 9.0, 7).tolist() == [0, 7]


def test_pairs_without_groups_or_with_too_few_are_refused(tmp_path: Path) -> None:
    for side in ("source", "target"):
        write_ragged(tmp_path, "train", side, [[5, 3]] * 2)
    with pytest.raises(UserError) as caught:
        TemperatureSampler(TokenizedDataset.open(tmp_path, "train"), 300, 1, 2.0)
    assert str(caught.value) == (
        "train.sampling_temperature: must be 1 where the tokenised corpus has no groups, got 2; "
        "`s2s tokenize` writes them by tokenize.group_columns"
    )
    np.save(groups_path(tmp_path, "train"), np.zeros(1, dtype=np.int32))
    with pytest.raises(UserError, match="train has 2 pairs but 1 groups; `s2s tokenize`"):
        TokenizedDataset.open(tmp_path, "train")


@pytest.mark.parametrize("temperature", [1.5, 5.0])
def test_the_windows_of_a_large_corpus_draw_together_as_the_whole_would(
    dataset: TokenizedDataset, temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = TemperatureSampler(dataset, 300, 1, temperature).draws.tolist()
    monkeypatch.setattr(windows, "MOST_WINDOW_ROWS", 300)
    monkeypatch.setattr(windows, "BLOCK_ROWS", 8)
    sampler = TemperatureSampler(dataset, 300, 1, temperature)
    assert (sampler.num_windows, sampler.draws.tolist()) == (4, whole)
    for epoch in (0, 3):
        parts = [np.concatenate(sampler.window_batches(epoch, window)) for window in (3, 0, 1, 2)]
        places = np.concatenate(parts)
        assert count_groups(dataset, places) == whole
        counts = np.bincount(places, minlength=1000)
        for group in range(3):
            own = counts[dataset.groups == group]
            assert own.max() - own.min() <= 1
        assert max(map(len, parts)) < 1.5 * min(map(len, parts))
    again = TemperatureSampler(dataset, 300, 1, temperature).window_batches(3, 2)
    assert [batch.tolist() for batch in again] == [batch.tolist() for batch in sampler.window_batches(3, 2)]
