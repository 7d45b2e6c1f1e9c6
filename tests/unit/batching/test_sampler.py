from __future__ import annotations

import hashlib
import json
import logging
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seq2seq_core.batching import windows
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.batching.sampler import TokenBucketSampler, find_cuts
from seq2seq_core.batching.windows import Windows
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
    assert [record.getMessage() for record in caplog.records] == [
        "train.batch_tokens: 1 pairs of train alone exceed 20 tokens; each gets a batch of its own"
    ]


def test_a_dataset_without_pairs_has_no_batches(tmp_path: Path) -> None:
    sampler = TokenBucketSampler(make_dataset(tmp_path, []), batch_tokens=20, seed=1)
    assert sampler.num_batches == 0
    assert sampler.epoch_batches(0) == []
    assert sampler.in_order() == []


# --- windows of a large corpus -----------------------------------------------------------------------------------------
@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of at most 400 rows, of blocks of 16."""
    monkeypatch.setattr(windows, "MOST_WINDOW_ROWS", 400)
    monkeypatch.setattr(windows, "BLOCK_ROWS", 16)


def test_the_batches_of_a_small_corpus_are_those_of_the_first_version(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path, [(1 + n * 7 % 23, 1 + n * 5 % 19) for n in range(500)])
    sampler = TokenBucketSampler(dataset, 200, 11)
    order = [batch.tolist() for epoch in (0, 3) for batch in sampler.epoch_batches(epoch)]
    assert hashlib.sha256(json.dumps(order).encode()).hexdigest()[:16] == "77184063057776f6"


@pytest.mark.usefixtures("small_windows")
def test_with_windows_every_pair_stands_once_in_each_epoch_and_batches_keep_the_budget(
    tmp_path: Path, fresh_random: random.Random
) -> None:
    dataset = make_dataset(tmp_path, random_lengths(fresh_random, 1501))
    sampler = TokenBucketSampler(dataset, batch_tokens=500, seed=1)
    assert sampler.num_windows == 4
    for epoch in (0, 7):
        parts = [sampler.window_batches(epoch, window) for window in range(4)]
        assert sorted(np.concatenate([batch for part in parts for batch in part]).tolist()) == list(range(1501))
        assert max(cost(dataset, batch) for part in parts for batch in part) <= 500
        sizes = [sum(map(len, part)) for part in parts]
        assert max(sizes) - min(sizes) <= 32
        assert max(sizes) <= 400 + 16
        flat = [batch.tolist() for part in parts for batch in part]
        assert flat == [batch.tolist() for batch in sampler.epoch_batches(epoch)]
        assert abs(len(flat) - sampler.num_batches) <= 0.1 * sampler.num_batches


@pytest.mark.usefixtures("small_windows")
def test_a_window_holds_rows_of_the_whole_corpus_and_other_ones_in_each_epoch(tmp_path: Path) -> None:
    sampler = TokenBucketSampler(make_dataset(tmp_path, [(4, 4)] * 1600), batch_tokens=80, seed=1)
    first, second = (set(np.concatenate(sampler.window_batches(epoch, 0)).tolist()) for epoch in (0, 1))
    for rows in (first, second):
        quarters = np.bincount(np.array(sorted(rows)) // 400, minlength=4)
        assert quarters.min() > 0
    assert len(first & second) < 0.6 * len(first)  # a quarter of the corpus meets by chance a quarter of it
    assert set(np.concatenate(sampler.window_batches(0, 1)).tolist()).isdisjoint(first)


@pytest.mark.usefixtures("small_windows")
def test_windows_depend_on_seed_and_epoch_alone(tmp_path: Path, fresh_random: random.Random) -> None:
    dataset = make_dataset(tmp_path, random_lengths(fresh_random, 900))

    def order(seed: int, epoch: int, window: int) -> list[list[int]]:
        return [batch.tolist() for batch in TokenBucketSampler(dataset, 400, seed).window_batches(epoch, window)]

    assert order(1, 5, 2) == order(1, 5, 2)
    assert order(1, 5, 2) not in (order(2, 5, 2), order(1, 6, 2), order(1, 5, 1))


@pytest.mark.usefixtures("small_windows")
def test_in_a_large_corpus_the_warning_says_how_many_pairs_were_looked_at(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dataset = make_dataset(tmp_path, [(30, 30)] * 800)
    TokenBucketSampler(dataset, batch_tokens=20, seed=1)
    assert [record.getMessage() for record in caplog.records] == [
        "train.batch_tokens: 400 pairs of train (of 400 that were looked at) alone exceed 20 tokens; each gets a batch of its own"
    ]


def test_the_blocks_of_any_corpus_are_few() -> None:
    for num_rows in (10**7, 10**9):
        large = Windows(num_rows, 1)
        rows = large.rows(0, large.number - 1)
        assert len(rows) <= 1.01 * windows.MOST_WINDOW_ROWS
        assert len(np.unique(rows)) == len(rows)
        assert rows.max() < num_rows


@pytest.mark.parametrize("budget", [1, 7, 40, 333])
def test_cuts_are_those_of_the_plain_rule(fresh_random: random.Random, budget: int) -> None:
    lengths = sorted(random_lengths(fresh_random, 300))
    expected, start = [], 0
    for place in range(1, len(lengths)):
        taken = lengths[start : place + 1]
        if len(taken) * (max(source for source, _ in taken) + max(target for _, target in taken)) > budget:
            expected.append(place)
            start = place
    source, target = (np.array(side) for side in zip(*lengths, strict=True))
    assert find_cuts(source, target, budget) == expected
