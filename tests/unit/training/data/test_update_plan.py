from __future__ import annotations

from itertools import islice, takewhile
from pathlib import Path

import numpy as np
import pytest

from seq2seq_core.batching import windows
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.batching.part import PAIRS, Part
from seq2seq_core.batching.sampler import TokenBucketSampler
from seq2seq_core.tokenization.ragged import values_path, write_ragged
from seq2seq_core.training.data.update_plan import Place, UpdatePlan


def make_plan(folder: Path, seed: int, accumulation: int) -> UpdatePlan:
    """A plan over 200 pairs whose lengths follow from the seed."""
    if not values_path(folder, "train", "source").exists():
        chance = np.random.default_rng(seed)
        for side in ("source", "target"):
            write_ragged(folder, "train", side, [[5] * length for length in chance.integers(1, 30, 200)])
    return UpdatePlan({PAIRS: TokenBucketSampler(TokenizedDataset.open(folder, "train"), 500, seed)}, accumulation)


@pytest.fixture(params=[1, 4], ids=["one window", "four windows"])
def num_windows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(windows, "BLOCK_ROWS", 8)
    monkeypatch.setattr(windows, "MOST_WINDOW_ROWS", 200 // request.param)
    return int(request.param)


@pytest.mark.parametrize("accumulation", [1, 3])
def test_every_pair_is_in_exactly_one_update_of_an_epoch(
    tmp_path: Path, fresh_seed: int, num_windows: int, accumulation: int
) -> None:
    plan = make_plan(tmp_path, fresh_seed, accumulation)
    epoch = list(takewhile(lambda update: update.place.epoch == 0, plan.updates_from(Place())))
    assert abs(len(epoch) - plan.updates_per_epoch) <= (0 if num_windows == 1 else num_windows)
    assert sorted(np.concatenate([batch.indices for update in epoch for batch in update.batches])) == list(range(200))
    assert epoch[-1].after == Place(epoch=1)
    assert [update.place.window for update in epoch if update.place.index == 0] == list(range(num_windows))
    assert all(len(update.batches) == accumulation for update in epoch if update.after.index)
    assert len({update.place.numbers for update in epoch}) == len(epoch)


def test_from_any_place_on_the_updates_are_the_same(tmp_path: Path, fresh_seed: int, num_windows: int) -> None:
    plan = make_plan(tmp_path, fresh_seed, accumulation=2)
    assert plan.samplers[PAIRS].num_windows == num_windows
    count = 2 * plan.updates_per_epoch + 3
    whole = list(islice(plan.updates_from(Place()), count))
    for start in range(1, count - 1):
        after = next(make_plan(tmp_path, fresh_seed, accumulation=2).updates_from(whole[start - 1].after))
        assert after.place == whole[start].place
        assert all(np.array_equal(mine.indices, its.indices) for mine, its in zip(after.batches, whole[start].batches, strict=True))


def test_another_epoch_has_another_order(tmp_path: Path, fresh_seed: int, num_windows: int) -> None:
    plan = make_plan(tmp_path, fresh_seed, accumulation=1)
    first, second = (next(plan.updates_from(Place(epoch=epoch))) for epoch in (0, 1))
    orders = [[sorted(batch.tolist()) for batch in plan.samplers[PAIRS].epoch_batches(epoch)] for epoch in (0, 1)]
    assert first.place != second.place
    assert orders[0] != orders[1]


class GrowingEpochs:
    """Epoch e has 3 + e batches."""

    num_batches = batches_per_window = 3
    num_windows = 1

    def window_batches(self, epoch: int, window: int) -> list[np.ndarray]:
        return [np.array([epoch, index]) for index in range(3 + epoch)]

    def epoch_batches(self, epoch: int) -> list[np.ndarray]:
        return self.window_batches(epoch, 0)


def test_no_batch_is_left_out_where_epochs_differ_in_their_number_of_batches() -> None:
    plan = UpdatePlan({PAIRS: GrowingEpochs()}, accumulation=2)
    updates = list(islice(plan.updates_from(Place()), 7))
    seen = [tuple(batch.indices.tolist()) for update in updates for batch in update.batches]
    assert seen == [(epoch, index) for epoch in range(3) for index in range(3 + epoch)]
    assert [update.after for update in updates if update.after.index == 0] == [Place(epoch=epoch) for epoch in (1, 2, 3)]
    assert next(plan.updates_from(updates[3].after)).place == updates[4].place


def test_a_part_that_is_gone_through_over_and_over_is_seen_whole_in_each_of_its_passes(
    tmp_path: Path, fresh_seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    main, other = make_plan(tmp_path, fresh_seed, 1).samplers[PAIRS], Part("denoising", "en")
    (tmp_path / "few").mkdir()
    for side in ("source", "target"):
        write_ragged(tmp_path / "few", "train", side, [[5] * 9] * 48)
    monkeypatch.setattr(windows, "BLOCK_ROWS", 8)
    monkeypatch.setattr(windows, "MOST_WINDOW_ROWS", 16)
    few = TokenBucketSampler(TokenizedDataset.open(tmp_path / "few", "train"), 144, fresh_seed)
    assert (few.num_windows, few.num_batches) == (3, 6)
    updates = list(islice(UpdatePlan({PAIRS: main, other: few}, accumulation=1).updates_from(Place()), 12))
    seen = [batch.indices for update in updates for batch in update.batches if batch.part == other]
    for one_pass in (seen[:6], seen[6:]):
        assert sorted(np.concatenate(one_pass).tolist()) == list(range(48))


def test_a_place_in_the_first_window_has_the_numbers_of_a_corpus_without_windows() -> None:
    assert Place(epoch=3, index=7).numbers == (3, 7)
    assert Place(epoch=3, window=2, index=7).numbers == (3, 7, 2)
