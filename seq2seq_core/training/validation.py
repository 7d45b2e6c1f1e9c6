"""Validation: the loss of dev, and a score of its greedily decoded sources."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from seq2seq_core.batching.batch import collate, collate_sources
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.batching.sampler import TokenBucketSampler
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.metric_names import ALWAYS_SCORED, LOSS
from seq2seq_core.config.train import PhaseSettings
from seq2seq_core.decoding.greedy import decode
from seq2seq_core.evaluation.metric import ScoringOptions
from seq2seq_core.evaluation.scores import check_installed, score
from seq2seq_core.modeling.ensemble import AnyModel
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.tokenization.tags import count_leading_tags
from seq2seq_core.training.distributed.ranks import SINGLE_RANK, Ranks
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.objectives.projected_likelihood import projected_sums
from seq2seq_core.training.round_trip import RoundTrips
from seq2seq_core.training.stop_request import StopSeen

SCORE_BESIDE_LOSS = "chrf"
"""The dev score where the dev metric is the loss."""
DECODED_TOGETHER = 64
"""Sources decoded in one batch."""


@dataclass(frozen=True)
class Validation:
    """The result of a validation.

    Attributes:
        loss: negative log-likelihood per target token, in nats, without label smoothing.
        scores: of the decoded sources, by metric; empty where none are decoded.
        further: other scores by the names of their curves: of monolingual sentences and back, or of what a judge understood.
        hypotheses: the decoded sources, in their order.
    """

    loss: float
    scores: dict[str, float]
    further: dict[str, float] = field(default_factory=dict)
    hypotheses: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Share:
    """What one rank measured: likelihoods and texts by their places, and round trips on rank 0."""

    likelihoods: dict[int, float]
    texts: dict[int, str]
    further: dict[str, float]


class Validator:
    """Validates a model on dev.

    Args:
        dev: the dev pairs.
        references: texts of the first dev targets; as many sources are decoded.
        target_tokenizer: turns decoded ids into text.
        settings: settings of the phase.
        placement: device and precision.
        round_trips: scores monolingual sentences as well.
        ranks: the processes that share the work.

    Raises:
        UserError: the package of the dev metric is not installed.
    """

    def __init__(
        self,
        dev: TokenizedDataset,
        references: list[str],
        target_tokenizer: SubwordModel,
        settings: PhaseSettings,
        placement: Placement,
        round_trips: RoundTrips | None = None,
        ranks: Ranks = SINGLE_RANK,
    ) -> None:
        self.round_trips, self.ranks = round_trips, ranks
        self.dev, self.references, self.target_tokenizer, self.placement = dev, references, target_tokenizer, placement
        # A quarter above the longest reference: a correct hypothesis is not cut, whatever its ratio to the source.
        longest = int(dev.target_lengths[: len(references)].max(initial=1))
        # Dev is decoded as the losses are weighed, whatever the evaluation does.
        ctc_weight = settings.ctc_weight / (1.0 + settings.ctc_weight)
        self.options = DecodingOptions(beam_size=1, max_length=longest + longest // 4 + 1, ctc_weight=ctc_weight)
        self.batches = TokenBucketSampler(dev, settings.batch_tokens, seed=0).in_order()
        wanted = (*ALWAYS_SCORED, settings.dev_metric)
        self.metrics = tuple(dict.fromkeys(metric for metric in wanted if metric != LOSS))
        self.scoring = ScoringOptions(bleu_tokenizer=settings.dev_bleu_tokenizer)
        check_installed(self.metrics)

    @torch.no_grad()
    def validate(self, model: AnyModel, between_batches: Callable[[], None]) -> Validation:
        """The loss and the scores of a model: the same on every rank.

        Args:
            model: on the placement's device; is in evaluation mode afterwards.
            between_batches: called before each batch; may raise to abort.

        Raises:
            StopSeen: ``between_batches`` raised it, on any rank.
        """
        model.eval()
        if isinstance(model, Seq2Seq):
            model.silent_ids = tuple(self.target_tokenizer.tag_ids)
        own = self.ranks.attempt(lambda: self._measure_share(model, between_batches))
        self.ranks.add_up([])
        shares = [share for shares in self.ranks.gather(own) for share in shares]
        if len(shares) < self.ranks.number:
            raise StopSeen
        likelihoods = {place: value for one in shares for place, value in one.likelihoods.items()}
        total = sum(likelihoods[place] for place in range(len(self.batches)))
        texts = {place: text for one in shares for place, text in one.texts.items()}
        hypotheses = [texts[place] for place in range(len(self.references))]
        scores = score(hypotheses, self.references, self.metrics, self.scoring) if self.references else {}
        further = {name: value for one in shares for name, value in one.further.items()}
        return Validation(total / int(self.dev.target_lengths.sum()), scores, further, hypotheses)

    def _measure_share(self, model: AnyModel, between_batches: Callable[[], None]) -> list[_Share]:
        """This rank's share; empty if it was asked to stop."""
        try:
            likelihoods = self._likelihoods(model, between_batches)
            texts = self._decode(model, between_batches)
            round_trips = self.round_trips if self.ranks.rank == 0 else None
            return [_Share(likelihoods, texts, round_trips.score(model, between_batches) if round_trips else {})]
        except StopSeen:
            return []

    def _likelihoods(self, model: AnyModel, between_batches: Callable[[], None]) -> dict[int, float]:
        """The negative log-likelihoods of this rank's dev batches (one in ``number``), by their places."""
        likelihoods = {}
        for place in range(self.ranks.rank, len(self.batches), self.ranks.number):
            between_batches()
            batch = collate(self.dev, self.batches[place]).to(self.placement.device)
            with self.placement.autocast():
                sums = projected_sums(model, batch, batch.target_in_BT, label_smoothing=0.0)
            likelihoods[place] = float(sums.negative_log_likelihood)
        return likelihoods

    def _decode(self, model: AnyModel, between_batches: Callable[[], None]) -> dict[int, str]:
        """Greedy hypotheses of this rank's share of the first dev sources, by their places; decoded by rising length."""
        order = np.argsort(self.dev.source_lengths[: len(self.references)], kind="stable")
        texts: dict[int, str] = {}
        for first in range(self.ranks.rank * DECODED_TOGETHER, len(order), self.ranks.number * DECODED_TOGETHER):
            between_batches()
            indices = order[first : first + DECODED_TOGETHER]
            source = collate_sources([self.dev.source(int(index)) for index in indices]).to(self.placement.device)
            with self.placement.autocast():
                hypotheses = decode(model, source, self.options, prefixes=[self._tags(int(i)) for i in indices])
            decoded = self.target_tokenizer.decode([best[0].ids for best in hypotheses])
            texts |= {int(index): text for index, text in zip(indices, decoded, strict=True)}
        return texts

    def _tags(self, index: int) -> list[int]:
        """The leading tags of a dev target; its hypothesis must begin with them."""
        ids: list[int] = self.dev.target(index).tolist()
        return ids[: count_leading_tags(ids, self.target_tokenizer)]
