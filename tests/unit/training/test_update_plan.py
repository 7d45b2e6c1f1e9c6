from __future__ import annotations

from itertools import islice
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.batching.part import PAIRS
from seq2seq_core.batching.sampler import TokenBucketSampler
from seq2seq_core.training.update_plan import Place, UpdatePlan


def make_plan(seed: int, accumulation: int) -> UpdatePlan:
    chance = np.random.default_rng(seed)
    lengths = SimpleNamespace(
        source_lengths=chance.integers(1, 30, 200), target_lengths=chance.integers(1, 30, 200), split="train", __len__=lambda: 200
    )
    dataset = type("Dataset", (), {**vars(lengths), "__len__": lambda self: 200})()
    return UpdatePlan({PAIRS: TokenBucketSampler(cast(TokenizedDataset, dataset), 500, seed)}, accumulation)


@pytest.mark.parametrize("accumulation", [1, 3])
def test_every_pair_is_in_exactly_one_update_of_an_epoch(fresh_seed: int, accumulation: int) -> None:
    plan = make_plan(fresh_seed, accumulation)
    epoch = list(islice(plan.updates_from(Place()), plan.updates_per_epoch))
    assert sorted(np.concatenate([batch.indices for update in epoch for batch in update.batches])) == list(range(200))
    assert {update.place.epoch for update in epoch} == {0}
    assert epoch[-1].after == Place(epoch=1)
    assert [len(update.batches) for update in epoch[:-1]] == [accumulation] * (len(epoch) - 1)


def test_from_any_place_on_the_updates_are_the_same(fresh_seed: int) -> None:
    plan = make_plan(fresh_seed, accumulation=2)
    count = 2 * plan.updates_per_epoch + 3
    whole = list(islice(plan.updates_from(Place()), count))
    for start in range(1, count - 1):
        after = next(make_plan(fresh_seed, accumulation=2).updates_from(whole[start - 1].after))
        assert after.place == whole[start].place
        assert all(np.array_equal(mine.indices, its.indices) for mine, its in zip(after.batches, whole[start].batches, strict=True))


def test_another_epoch_has_another_order(fresh_seed: int) -> None:
    plan = make_plan(fresh_seed, accumulation=1)
    first, second = (next(plan.updates_from(Place(epoch=epoch))) for epoch in (0, 1))
    orders = [[sorted(batch.tolist()) for batch in plan.samplers[PAIRS].epoch_batches(epoch)] for epoch in (0, 1)]
    assert first.place != second.place
    assert orders[0] != orders[1]


class GrowingEpochs:
    """Epoch e has 3 + e batches."""

    num_batches = 3

    def epoch_batches(self, epoch: int) -> list[np.ndarray]:
        return [np.array([epoch, index]) for index in range(3 + epoch)]


def test_no_batch_is_left_out_where_epochs_differ_in_their_number_of_batches() -> None:
    plan = UpdatePlan({PAIRS: GrowingEpochs()}, accumulation=2)
    updates = list(islice(plan.updates_from(Place()), 7))
    seen = [tuple(batch.indices.tolist()) for update in updates for batch in update.batches]
    assert seen == [(epoch, index) for epoch in range(3) for index in range(3 + epoch)]
    assert [update.after for update in updates if update.after.index == 0] == [Place(epoch=epoch) for epoch in (1, 2, 3)]
    assert next(plan.updates_from(updates[3].after)).place == updates[4].place
