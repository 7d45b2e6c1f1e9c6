"""Learning from the reward of the model's own samples: minimum risk (Shen 2016) and self-critical training (Rennie 2017).

Samples are drawn without dropout and without a gradient. Then the same model scores them by teacher forcing, with dropout and with
a gradient (cuDNN's recurrent layers give none in evaluation mode). Rewards are computed at the same time.

Shapes: B batch, K samples of a source.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from seq2seq_core.batching.batch import Batch
from seq2seq_core.config.train import Phase
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.reproducibility import derive_seed
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.tokenization.tags import count_leading_tags
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.objectives.likelihood import Likelihood
from seq2seq_core.training.objectives.objective import BatchLoss, Measure, Moment, UpdateSize
from seq2seq_core.training.objectives.reward import RewardScorer
from seq2seq_core.training.objectives.samples import Sample, ScoredSamples, draw_samples, score_samples

if TYPE_CHECKING:
    from seq2seq_core.training.objectives.judged.text_judge import TextJudge


def expected_risk(log_probabilities_BK: Tensor, risks_BK: Tensor, sharpness: float) -> Tensor:
    """The mean risk of each source's samples under Q(y) = P(y)^alpha / sum over the samples of P(y')^alpha; (B,), with a gradient.

    Shen 2016, equations 9 and 10.

    Args:
        log_probabilities_BK: of different samples; minus infinity where there is none.
        risks_BK: of the samples; any number where there is none.
        sharpness: alpha.
    """
    return (torch.softmax(sharpness * log_probabilities_BK, dim=1) * risks_BK).sum(dim=1)


def self_critical_loss(log_probabilities_BK: Tensor, rewards_BK: Tensor, baseline_B: Tensor) -> Tensor:
    """A loss whose gradient is an estimate of that of minus the mean reward (Rennie 2017, equation 8); (B,).

    Args:
        log_probabilities_BK: of samples, drawn independently.
        rewards_BK: rewards of the samples.
        baseline_B: the reward of greedy decoding.
    """
    return -((rewards_BK - baseline_B.unsqueeze(1)) * log_probabilities_BK).mean(dim=1)


class _RewardObjective:
    """The base of the two objectives.

    Args:
        phase: its settings.
        placement: device and precision.
        tokenizer: turns target ids into text.
        scorer: computes the rewards.
        judge: restores the source of a sample, with which it is compared; None: samples are compared with their references.
    """

    def __init__(
        self, phase: Phase, placement: Placement, tokenizer: SubwordModel, scorer: RewardScorer, judge: TextJudge | None = None
    ) -> None:
        self.settings, self.placement, self.tokenizer, self.scorer = phase.reinforcement, placement, tokenizer, scorer
        self.judge = judge
        self.likelihood = Likelihood(phase, placement, tokenizer.tag_ids)

    def _draw(self, model: Seq2Seq, batch: Batch, num_samples: int, temperature: float, seed: int) -> list[list[Sample]]:
        """Samples of each source, from the model without dropout."""
        limits = [int(self.settings.max_length_ratio * length) for length in batch.target_lengths_B.tolist()]
        model.eval()
        with self.placement.autocast():
            samples = draw_samples(model, batch.source, limits, num_samples, temperature, seed, self._tags(batch))
        model.train()
        return samples

    def _tags(self, batch: Batch) -> list[list[int]]:
        """The leading tags of each target; its samples begin with them."""
        rows: list[list[int]] = batch.target_out_BT.tolist()
        return [row[: count_leading_tags(row, self.tokenizer)] for row in rows]

    def _pairs(self, batch: Batch, samples: Sequence[Sequence[Sample]]) -> list[tuple[str, str]]:
        """The text of each sample beside that of its reference; with a judge, the source that it restores beside the source."""
        hypotheses = self.tokenizer.decode([sample.ids for own in samples for sample in own])
        if self.judge is None:
            references = self.tokenizer.decode(batch.target_out_BT.tolist())
        else:
            hypotheses, references = self.judge.restore(hypotheses), self.judge.sources_of(batch.source)
        owners = [row for row, own in enumerate(samples) for _ in own]
        return [(hypothesis, references[row]) for hypothesis, row in zip(hypotheses, owners, strict=True)]

    def _score(self, model: Seq2Seq, batch: Batch, samples: Sequence[Sequence[Sample]]) -> ScoredSamples:
        """The probabilities of the samples, with a gradient."""
        with self.placement.autocast():
            return score_samples(model, batch.source, samples)

    def _add_likelihood(
        self, model: Seq2Seq, batch: Batch, size: UpdateSize, moment: Moment, loss: Tensor, measures: dict[str, Measure]
    ) -> BatchLoss:
        """The loss plus the weighted likelihood; with weight 0 the likelihood is only a figure for the curves."""
        weight = self.settings.likelihood_weight
        with torch.set_grad_enabled(bool(weight)):
            likelihood = self.likelihood.loss(model, batch, size, moment)
        total = loss + weight * likelihood.loss if weight else loss
        return BatchLoss(total, likelihood.negative_log_likelihood, {**likelihood.measures, **measures})


class MinimumRisk(_RewardObjective):
    """The mean risk, 1 minus the reward, of a sentence; see :class:`~seq2seq_core.training.objectives.objective.Objective`."""

    def loss(self, model: Seq2Seq, batch: Batch, size: UpdateSize, moment: Moment) -> BatchLoss:
        """See :class:`~seq2seq_core.training.objectives.objective.Objective`."""
        settings = self.settings
        drawn = self._draw(model, batch, settings.num_samples, settings.temperature, derive_seed(moment.seed, "samples"))
        samples = self._distinct(batch, drawn)
        pairs = self._pairs(batch, samples)
        all_rewards = self.scorer.submit([*pairs, *self._pairs(batch, drawn)])
        scored = self._score(model, batch, samples)
        rewards = all_rewards()
        # Q is defined over a set: a sample that was drawn twice counts once.
        is_sample_BK = _is_sample(samples, scored.log_probabilities_N.device)
        log_probabilities_BK = _spread(scored.log_probabilities_N, is_sample_BK, float("-inf"))
        rewards_N = torch.tensor(rewards[: len(pairs)], device=is_sample_BK.device)
        risk_B = expected_risk(log_probabilities_BK, 1.0 - _spread(rewards_N, is_sample_BK, 0.0), settings.sharpness)
        measures = _measures(rewards[len(pairs) :], scored) | {"risk": Measure(float(risk_B.detach().sum()), len(risk_B))}
        return self._add_likelihood(model, batch, size, moment, risk_B.sum() / size.sentences, measures)

    def _distinct(self, batch: Batch, drawn: Sequence[Sequence[Sample]]) -> list[list[Sample]]:
        """The distinct samples of each source, and its reference if the settings include it."""
        references: list[list[Sample]] = [[] for _ in drawn]
        if self.settings.includes_reference:
            lengths = batch.target_lengths_B.tolist()
            rows = zip(batch.target_out_BT.tolist(), lengths, self._tags(batch), strict=True)
            references = [[Sample(tuple(ids[: length - 1]), False, len(tags))] for ids, length, tags in rows]
        return [list(dict.fromkeys([*reference, *own])) for reference, own in zip(references, drawn, strict=True)]


class SelfCritical(_RewardObjective):
    """The reward of samples relative to greedy decoding; see :class:`~seq2seq_core.training.objectives.objective.Objective`."""

    def loss(self, model: Seq2Seq, batch: Batch, size: UpdateSize, moment: Moment) -> BatchLoss:
        """See :class:`~seq2seq_core.training.objectives.objective.Objective`."""
        settings = self.settings
        samples = self._draw(model, batch, settings.num_samples, settings.temperature, derive_seed(moment.seed, "samples"))
        sample_rewards = self.scorer.submit(self._pairs(batch, samples))
        greedy_rewards = self.scorer.submit(self._pairs(batch, self._draw(model, batch, 1, 0.0, 0)))
        scored = self._score(model, batch, samples)
        shape, device = (len(samples), settings.num_samples), scored.log_probabilities_N.device
        rewards, baseline = sample_rewards(), greedy_rewards()
        loss_B = self_critical_loss(
            scored.log_probabilities_N.view(shape),
            torch.tensor(rewards, device=device).view(shape),
            torch.tensor(baseline, device=device),
        )
        measures = _measures(rewards, scored) | {"baseline_reward": Measure(sum(baseline), len(baseline))}
        return self._add_likelihood(model, batch, size, moment, loss_B.sum() / size.sentences, measures)


def _is_sample(samples: Sequence[Sequence[Sample]], device: torch.device) -> Tensor:
    """True at the first places of each row, as many as there are samples; (B, K) bool."""
    lengths_B = torch.tensor([len(own) for own in samples], device=device)
    return torch.arange(int(lengths_B.max()), device=device) < lengths_B.unsqueeze(1)


def _spread(values_N: Tensor, is_sample_BK: Tensor, filling: float) -> Tensor:
    """The values of all samples, one row per source; (B, K)."""
    empty_BK = torch.full(is_sample_BK.shape, filling, device=values_N.device)
    return empty_BK.masked_scatter(is_sample_BK, values_N)


def _measures(rewards: Sequence[float], scored: ScoredSamples) -> dict[str, Measure]:
    """The figures of both objectives."""
    return {
        "reward": Measure(sum(rewards), len(rewards)),
        "entropy": Measure(scored.entropy, scored.num_symbols),
        "sample_log_probability": Measure(float(scored.log_probabilities_N.detach().sum()), len(scored.log_probabilities_N)),
    }
