"""Validation: the loss of dev, and a score of its greedily decoded sources."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from seq2seq_core.batching.batch import collate, collate_sources
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.batching.sampler import TokenBucketSampler
from seq2seq_core.config.train import PhaseSettings
from seq2seq_core.decoding.greedy import decode
from seq2seq_core.decoding.options import DecodingOptions
from seq2seq_core.evaluation.metrics import score
from seq2seq_core.evaluation.rouge import check_rouge
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.tokenization.tags import count_leading_tags
from seq2seq_core.training.objective import projected_sums
from seq2seq_core.training.placement import Placement
from seq2seq_core.training.round_trip import RoundTrips

ALWAYS_SCORED = ("exact_match", "chrf")
"""Scores that go to the curves whatever the dev metric is."""
SCORE_BESIDE_LOSS = "chrf"
"""The dev score where the dev metric is the loss."""
DECODED_TOGETHER = 64
"""Sources decoded in one batch."""


@dataclass(frozen=True)
class Validation:
    """The result of a validation.

    Attributes:
        loss: negative log-likelihood a target token, in nats, without label smoothing.
        scores: of the decoded sources, by metric; empty where none are decoded.
        round_trips: scores of monolingual sentences that went into another language and back, by their names in the curves.
    """

    loss: float
    scores: dict[str, float]
    round_trips: dict[str, float] = field(default_factory=dict)


class Validator:
    """Validates a model on dev.

    Args:
        dev: the pairs.
        references: the texts of the first targets of dev: those that are decoded.
        target_tokenizer: turns decoded ids into text.
        settings: of the phase.
        placement: device and precision.
        round_trips: scores monolingual sentences as well.

    Raises:
        UserError: the dev metric is ROUGE and its package is not installed.
    """

    def __init__(
        self,
        dev: TokenizedDataset,
        references: list[str],
        target_tokenizer: SubwordModel,
        settings: PhaseSettings,
        placement: Placement,
        round_trips: RoundTrips | None = None,
    ) -> None:
        self.round_trips = round_trips
        self.dev, self.references, self.target_tokenizer, self.placement = dev, references, target_tokenizer, placement
        # A quarter more than the longest reference: whatever the ratio to the source, a hypothesis that is right is not cut.
        longest = int(dev.target_lengths[: len(references)].max(initial=1))
        self.options = DecodingOptions(beam_size=1, max_length=longest + longest // 4 + 1)
        self.batches = TokenBucketSampler(dev, settings.batch_tokens, seed=0).in_order()
        wanted = (*ALWAYS_SCORED, settings.dev_metric)
        self.metrics = tuple(dict.fromkeys(metric for metric in wanted if metric != "loss"))
        check_rouge(self.metrics)

    @torch.no_grad()
    def validate(self, model: Seq2Seq, between_batches: Callable[[], None]) -> Validation:
        """The loss and the scores of a model.

        Args:
            model: on the placement's device; is in evaluation mode afterwards.
            between_batches: called before each batch; may raise to give up.
        """
        model.eval()
        total, target_tokens = 0.0, 0
        for indices in self.batches:
            between_batches()
            batch = collate(self.dev, indices).to(self.placement.device)
            with self.placement.autocast():
                sums = projected_sums(model, batch, batch.target_in_BT, label_smoothing=0.0)
            total += float(sums.negative_log_likelihood)
            target_tokens += batch.num_target_tokens
        scores = score(self._decode(model, between_batches), self.references, self.metrics) if self.references else {}
        round_trips = self.round_trips.score(model, between_batches) if self.round_trips else {}
        return Validation(total / target_tokens, scores, round_trips)

    def _decode(self, model: Seq2Seq, between_batches: Callable[[], None]) -> list[str]:
        """Greedy hypotheses of the first dev sources, in order; decoded by rising length."""
        order = np.argsort(self.dev.source_lengths[: len(self.references)], kind="stable")
        texts = [""] * len(order)
        for first in range(0, len(order), DECODED_TOGETHER):
            between_batches()
            indices = order[first : first + DECODED_TOGETHER]
            source = collate_sources([self.dev.source(int(index)) for index in indices]).to(self.placement.device)
            with self.placement.autocast():
                hypotheses = decode(model, source, self.options, prefixes=[self._tags(int(i)) for i in indices])
            decoded = self.target_tokenizer.decode([best[0].ids for best in hypotheses])
            for index, text in zip(indices, decoded, strict=True):
                texts[int(index)] = text
        return texts

    def _tags(self, index: int) -> list[int]:
        """The tags that a dev target begins with: what its hypothesis must begin with."""
        ids: list[int] = self.dev.target(index).tolist()
        return ids[: count_leading_tags(ids, self.target_tokenizer)]


def read_references(folder: Path, num_sentences: int) -> list[str]:
    """The texts of the first targets of dev.

    Args:
        folder: what ``s2s tokenize`` wrote.
        num_sentences: at most this many.
    """
    with (folder / "dev.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line)["target"] for line in islice(file, num_sentences)]
