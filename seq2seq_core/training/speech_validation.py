"""Validation of a model of speech: the loss of dev."""

from __future__ import annotations

from collections.abc import Callable

import torch

from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.batching.frame_batch import collate_frames
from seq2seq_core.batching.sampler import TokenBucketSampler
from seq2seq_core.config.train import PhaseSettings
from seq2seq_core.evaluation.metric import ScoringOptions
from seq2seq_core.modeling.ensemble import AnyModel
from seq2seq_core.modeling.speech_model import SpeechModel
from seq2seq_core.training.distributed.ranks import SINGLE_RANK, Ranks
from seq2seq_core.training.objectives.frame_differences import FrameDifferences, frame_sums, plain_loss
from seq2seq_core.training.stop_request import StopSeen
from seq2seq_core.training.validation import Validation, Validator


class SpeechValidator(Validator):
    """Validates a model of speech on dev; nothing is made sound. With a judge, its loss counts as in training.

    Args:
        dev: the dev pairs.
        settings: settings of the phase.
        objective: of the phase.
        ranks: the processes that share the work.
    """

    def __init__(
        self, dev: TokenizedDataset, settings: PhaseSettings, objective: FrameDifferences, ranks: Ranks = SINGLE_RANK
    ) -> None:
        self.dev, self.objective, self.ranks = dev, objective, ranks
        self.references, self.round_trips, self.scoring = [], None, ScoringOptions()
        self.batches = TokenBucketSampler(dev, settings.batch_tokens, seed=0).in_order()

    @torch.no_grad()
    def validate(self, model: AnyModel, between_batches: Callable[[], None]) -> Validation:
        """The loss per frame, the same on every rank; see the base class."""
        assert isinstance(model, SpeechModel)
        model.eval()
        own = self.ranks.attempt(lambda: self._losses(model, between_batches))
        self.ranks.add_up([])
        shares = [share for shares in self.ranks.gather(own) for share in shares]
        if len(shares) < self.ranks.number:
            raise StopSeen
        losses = {place: value for one in shares for place, value in one.items()}
        plain, judged = (sum(losses[place][kind] for place in range(len(self.batches))) for kind in (0, 1))
        loss = plain / int(self.dev.target_lengths.sum())
        if self.objective.judge is None:
            return Validation(loss, {})
        judge_loss = judged / len(self.dev)
        return Validation(loss + self.objective.judge.weight * judge_loss, {}, {"dev_judge_loss": judge_loss})

    def _losses(self, model: SpeechModel, between_batches: Callable[[], None]) -> list[dict[int, tuple[float, float]]]:
        """The loss of each of this rank's dev batches, and that of the judge, by its place; empty if it was asked to stop."""
        losses, objective = dict[int, tuple[float, float]](), self.objective
        try:
            for place in range(self.ranks.rank, len(self.batches), self.ranks.number):
                between_batches()
                batch = collate_frames(self.dev, self.batches[place]).to(objective.placement.device)
                plain = float(plain_loss(frame_sums(model, batch, objective.settings, objective.placement), model))
                verdict = objective.judged(model, batch)
                losses[place] = plain, 0.0 if verdict is None else float(verdict.losses_B.sum())
        except StopSeen:
            return []
        return [losses]
