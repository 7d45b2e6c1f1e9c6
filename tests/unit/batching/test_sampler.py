from __future__ import annotations

import logging
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.batching.sampler import TokenBucketSampler
from seq2seq_core.tokenization.ragged import write_ragged


def make_dataset(folder: Path, lengths: list[tuple[int, int]]) -> TokenizedDataset:
    write_ragged(folder, "train", "source", [[5] * source for source, _ in lengths])
    write_ragged(folder, "train", "target", [[5] * target for _, target in lengths])
    return TokenizedDataset.open(folder, "train")


def random_lengths(chance: random.Random, rows: int, longest: int = 40) -> list[tuple[int, int]]:
    sources = [chance.randrange(1, longest) for _ in range(rows)]
    return [(source, max(1, source + chance.randrange(-5, 6))) for source in sources]


def cost(dataset: TokenizedDataset, batch: np.ndarray[tuple[int], np.dtype[np.int64]]) -> int:
    return len(batch) * int(dataset.source_lengths[batch].max() + dataset.target_lengths[batch].max())


def test_every_pair_stands_once_in_each_epoch_and_no_batch_exceeds_the_budget(tmp_path: Path, fresh_random: random.Random) -> None:
    dataset = make_dataset(tmp_path, random_lengths(fresh_random, 1500))
    sampler = TokenBucketSampler(dataset, batch_tokens=500, seed=1)
    for batches in (sampler.epoch_batches(0), sampler.epoch_batches(7), sampler.in_order()):
        assert sorted(np.concatenate(batches).tolist()) == list(range(1500))
        assert max(cost(dataset, batch) for batch in batches) <= 500
        assert len(batches) == sampler.num_batches


def test_there_is_little_padding(tmp_path: Path, fresh_random: random.Random) -> None:
    dataset = make_dataset(tmp_path, random_lengths(fresh_random, 5000))
    batches = TokenBucketSampler(dataset, batch_tokens=2000, seed=1).epoch_batches(0)
    filled = int(dataset.source_lengths.sum() + dataset.target_lengths.sum()) / sum(cost(dataset, batch) for batch in batches)
    assert filled > 0.9


def test_the_order_depends_on_seed_and_epoch_alone(tmp_path: Path, fresh_random: random.Random) -> None:
    dataset = make_dataset(tmp_path, random_lengths(fresh_random, 300))

    def order(seed: int, epoch: int) -> list[list[int]]:
        return [batch.tolist() for batch in TokenBucketSampler(dataset, 400, seed).epoch_batches(epoch)]

    sampler = TokenBucketSampler(dataset, 400, 1)
    sampler.epoch_batches(0)
    assert [batch.tolist() for batch in sampler.epoch_batches(5)] == order(1, 5)
    assert order(1, 5) != order(1, 6)
    assert order(1, 5) != order(2, 5)


def test_pairs_of_one_length_meet_other_pairs_in_each_epoch(tmp_path: Path) -> None:
    sampler = TokenBucketSampler(make_dataset(tmp_path, [(4, 4)] * 100), batch_tokens=80, seed=1)
    assert {frozenset(batch.tolist()) for batch in sampler.epoch_batches(0)} != {
        frozenset(b.tolist()) for b in sampler.epoch_batches(1)
    }


def test_the_order_is_the_same_in_another_process(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path, [(1 + n % 17, 1 + n % 13) for n in range(200)])
    program = (
        "import sys; from pathlib import Path\n"
        "from seq2seq_core.batching.dataset import TokenizedDataset\n"
        "from seq2seq_core.batching.sampler import TokenBucketSampler\n"
        "dataset = TokenizedDataset.open(Path(sys.argv[1]), 'train')\n"
        "print([batch.tolist() for batch in TokenBucketSampler(dataset, 100, 3).epoch_batches(2)])\n"
    )
    for hash_seed in ("1", "2"):
        command = [sys.executable, "-c", program, str(tmp_path)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True, env={"PYTHONHASHSEED": hash_seed}).stdout
        assert printed.strip() == str([batch.tolist() for batch in TokenBucketSampler(dataset, 100, 3).epoch_batches(2)])


def test_a_pair_beyond_the_budget_has_its_own_batch_and_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dataset = make_dataset(tmp_path, [(2, 2), (100, 50), (2, 3)])
    with caplog.at_level(logging.WARNING):
        sampler = TokenBucketSampler(dataset, batch_tokens=20, seed=1)
    assert sorted(sorted(batch.tolist()) for batch in sampler.epoch_batches(0)) == [[0, 2], [1]]
    assert sampler.num_oversized == 1
    assert [record.getMessage() for record in caplog.records] == [
        "train.batch_tokens: 1 pairs of train alone exceed 20 tokens; each gets a batch of its own"
    ]


def test_a_dataset_without_pairs_has_no_batches(tmp_path: Path) -> None:
    sampler = TokenBucketSampler(make_dataset(tmp_path, []), batch_tokens=20, seed=1)
    assert sampler.num_batches == 0
    assert sampler.epoch_batches(0) == []
    assert sampler.in_order() == []
