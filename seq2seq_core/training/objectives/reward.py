"""Rewards of single sentences, computed here or in worker processes while the model computes; the numbers are the same.

Nothing here loads PyTorch, so that a worker starts fast and stays small.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cache
from types import TracebackType
from typing import Self

from sacrebleu.metrics.bleu import BLEU

from seq2seq_core.config.objective_sections import RewardMetric
from seq2seq_core.decoding.chrf import chrf
from seq2seq_core.evaluation.metrics import character_error_rate, word_error_rate

FEWEST_FOR_WORKERS = 32
"""Fewer sentences are scored sooner than they are sent."""

Pair = tuple[str, str]
"""A hypothesis and its reference."""


def sentence_reward(metric: RewardMetric, hypothesis: str, reference: str) -> float:
    """The reward of a hypothesis: 1 for a perfect one, 0 for a useless one, below 0 for one with more errors than symbols.

    Args:
        metric: ``cer`` and ``wer`` count as 1 minus the rate; ``bleu`` is smoothed by adding 1 to the counts of n-grams longer than
            a word (Lin and Och 2004) and goes up to the longest n-gram that the hypothesis has.
        hypothesis: a decoded text.
        reference: its reference.
    """
    match metric:
        case "chrf":
            return chrf(hypothesis, reference) / 100.0
        case "bleu":
            return float(_bleu().sentence_score(hypothesis, [reference]).score) / 100.0
        case "exact_match":
            return float(hypothesis == reference)
        case "cer":
            return 1.0 - character_error_rate([hypothesis], [reference])
        case "wer":
            return 1.0 - word_error_rate([hypothesis], [reference])


def sentence_rewards(metric: RewardMetric, pairs: Sequence[Pair]) -> list[float]:
    """The reward of each pair of a hypothesis and its reference."""
    return [sentence_reward(metric, hypothesis, reference) for hypothesis, reference in pairs]


class RewardScorer:
    """Scores sentences, in worker processes where there are any. A context manager.

    Args:
        metric: what a reward is made of.
        num_workers: processes; 0 scores in this one.
    """

    def __init__(self, metric: RewardMetric, num_workers: int) -> None:
        self.metric, self.num_workers = metric, num_workers
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
        """Begins to score; what is returned gives the reward of each pair, in order, when it is called.

        Args:
            pairs: hypotheses with their references; those that occur again are scored once.
        """
        distinct = list(dict.fromkeys(pairs))
        if self._pool is None or len(distinct) < FEWEST_FOR_WORKERS:
            return lambda: _look_up(pairs, distinct, sentence_rewards(self.metric, distinct))
        size = -(-len(distinct) // self.num_workers)
        chunks = [distinct[first : first + size] for first in range(0, len(distinct), size)]
        futures: list[Future[list[float]]] = [self._pool.submit(sentence_rewards, self.metric, chunk) for chunk in chunks]
        return lambda: _look_up(pairs, distinct, [reward for future in futures for reward in future.result()])


def _look_up(pairs: Sequence[Pair], distinct: Sequence[Pair], rewards: Sequence[float]) -> list[float]:
    """The reward of each pair, from those of the distinct ones."""
    known = dict(zip(distinct, rewards, strict=True))
    return [known[pair] for pair in pairs]


def _begin_worker() -> None:
    """Leaves signals to the trainer, which has to finish its update, and ends with it however it ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_parent() -> None:
        parent.join()
        os._exit(0)

    threading.Thread(target=end_with_parent, daemon=True).start()


@cache
def _bleu() -> BLEU:
    return BLEU(smooth_method="add-k", smooth_value=1, effective_order=True)
