"""Totals of an update over all ranks: sizes before its gradients, sums and figures after them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self, get_args

import torch

from seq2seq_core.batching.batch import Batch
from seq2seq_core.batching.part import PartKind
from seq2seq_core.training.distributed.ranks import Ranks
from seq2seq_core.training.objectives.objective import BatchLoss, Measure, UpdateSize

PART_KINDS: tuple[PartKind, ...] = get_args(PartKind)


@dataclass(frozen=True)
class UpdateSums:
    """Sums over all batches of an update.

    Attributes:
        negative_log_likelihood: over target tokens, in nats.
        source_tokens: padding left out.
        measures: further figures of the objective, by name.
    """

    negative_log_likelihood: float
    source_tokens: int
    measures: Mapping[str, Measure]

    @classmethod
    def over(cls, batches: Sequence[Batch], results: Sequence[BatchLoss], ranks: Ranks) -> Self:
        """The sums of an update.

        Args:
            batches: the batches that this rank computed.
            results: the losses of these batches.
            ranks: sums over all ranks; all of them must make this call.
        """
        likelihoods = [result.negative_log_likelihood.double() for result in results]
        negative_log_likelihood = float(torch.stack(likelihoods).sum()) if likelihoods else 0.0
        source_tokens = sum(int(batch.source.lengths_B.sum()) for batch in batches)
        measures = _add_measures([result.measures for result in results])
        likelihood, tokens, num_measures = ranks.add_up([negative_log_likelihood, source_tokens, len(measures)])
        if num_measures:
            measures = _add_measures(ranks.gather(measures))
        return cls(likelihood, int(tokens), measures)


def part_sizes(batches: Sequence[Batch], ranks: Ranks) -> dict[PartKind, UpdateSize]:
    """The size of each kind of part in an update: one kind, unless training uses monolingual sentences.

    Args:
        batches: the batches that this rank computes.
        ranks: sums over all ranks; all of them must make this call.
    """
    counts = []
    for kind in PART_KINDS:
        own = [batch for batch in batches if batch.part.kind == kind]
        counts += [sum(batch.num_target_tokens for batch in own), sum(batch.source.num_rows for batch in own)]
    totals = [int(count) for count in ranks.add_up(counts)]
    sizes = {kind: UpdateSize(*pair) for kind, *pair in zip(PART_KINDS, totals[::2], totals[1::2], strict=True)}
    return {kind: size for kind, size in sizes.items() if size.sentences}


def _add_measures(parts: Sequence[Mapping[str, Measure]]) -> dict[str, Measure]:
    """The measures of several batches together."""
    total: dict[str, Measure] = {}
    for part in parts:
        for name, measure in part.items():
            before = total.get(name, Measure(0.0, 0.0))
            total[name] = Measure(before.total + measure.total, before.number + measure.number)
    return total
