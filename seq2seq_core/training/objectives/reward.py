"""Rewards of single sentences, computed in this process or in workers while the model computes; the results are the same.

Nothing here loads PyTorch, so that a worker starts fast and stays small.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType
from typing import Self

from seq2seq_core.config.metric_names import RewardMetric
from seq2seq_core.evaluation.metric import DEFAULT_OPTIONS, ScoringOptions
from seq2seq_core.evaluation.scores import find_metric

FEWEST_FOR_WORKERS = 32
"""With fewer sentences, scoring here is faster than sending them."""

Pair = tuple[str, str]
"""A hypothesis and its reference."""


def sentence_rewards(metric: RewardMetric, pairs: Sequence[Pair], options: ScoringOptions = DEFAULT_OPTIONS) -> list[float]:
    """The reward of each hypothesis: 1 for a perfect one, 0 for a useless one, below 0 for one with more errors than symbols.

    Args:
        metric: the name of the metric that gives the reward.
        pairs: hypotheses with their references.
        options: settings that metrics read.
    """
    reward = find_metric(metric).reward
    return [reward(hypothesis, reference, options) for hypothesis, reference in pairs]


class RewardScorer:
    """Scores sentences, in worker processes where there are any. A context manager.

    Args:
        metric: the metric that gives the reward.
        num_workers: processes; 0 scores in this one.
        options: settings that the metric reads.
    """

    def __init__(self, metric: RewardMetric, num_workers: int, options: ScoringOptions = DEFAULT_OPTIONS) -> None:
        self.metric, self.num_workers, self.options = metric, num_workers, options
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        if self.num_workers:
            # Not forked: a copy of a process with PyTorch's threads or a GPU may hang.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.num_workers, context, initializer=_begin_worker)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def submit(self, pairs: Sequence[Pair]) -> Callable[[], list[float]]:
        """Starts scoring; the returned function gives the reward of each pair, in order.

        Args:
            pairs: hypotheses with their references; repeated pairs are scored once.
        """
        distinct = list(dict.fromkeys(pairs))
        if self._pool is None or len(distinct) < FEWEST_FOR_WORKERS:
            return lambda: _look_up(pairs, distinct, sentence_rewards(self.metric, distinct, self.options))
        size = -(-len(distinct) // self.num_workers)
        chunks = [distinct[first : first + size] for first in range(0, len(distinct), size)]
        futures: list[Future[list[float]]] = [
            self._pool.submit(sentence_rewards, self.metric, chunk, self.options) for chunk in chunks
        ]
        return lambda: _look_up(pairs, distinct, [reward for future in futures for reward in future.result()])


def _look_up(pairs: Sequence[Pair], distinct: Sequence[Pair], rewards: Sequence[float]) -> list[float]:
    """The reward of each pair, from those of the distinct ones."""
    known = dict(zip(distinct, rewards, strict=True))
    return [known[pair] for pair in pairs]


def _begin_worker() -> None:
    """Ignores stop signals, so that the trainer can finish its update; ends when the trainer ends, for any reason."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_parent() -> None:
        parent.join()
        os._exit(0)

    threading.Thread(target=end_with_parent, daemon=True).start()
