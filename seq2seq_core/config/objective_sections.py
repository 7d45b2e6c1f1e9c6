"""Parts of ``train`` about the objective of a phase: rewards, and the likelihood of monolingual sentences."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from seq2seq_core.config.metric_names import BleuTokenizer, RewardMetric
from seq2seq_core.config.section import Section

Objective = Literal["likelihood", "minimum_risk", "self_critical", "denoising", "back_translation", "frames"]
"""The objective that a phase maximises: the likelihood of the references; the reward of the model's own samples; the likelihood of
monolingual sentences, given a noisy version or the model's own translation; or, of targets that are recordings, their frames."""

MONOLINGUAL_OBJECTIVES = ("denoising", "back_translation")
"""Objectives that learn from the corpora of ``corpus.monolingual``."""
REWARD_OBJECTIVES = ("minimum_risk", "self_critical")
"""Objectives that learn from rewards."""


class Reinforcement(Section):
    """Learning from the reward of the model's own samples; read by the objectives ``minimum_risk`` and ``self_critical``."""

    reward: RewardMetric = "chrf"
    """Reward of a sentence, 1 for a perfect one: a
    metric on a scale of 0 to 1 (``bleu`` smoothed by adding 1, Lin and Och 2004), or 1
    minus an error rate such as ``cer``."""
    bleu_tokenizer: BleuTokenizer = "13a"
    """sacreBLEU's tokeniser where the reward is ``bleu``."""
    num_samples: int = Field(default=8, ge=1, le=1024)
    """Samples drawn for each source. A batch has that many times as many rows: lower ``batch_tokens`` to match."""
    temperature: float = Field(default=1.0, gt=0.0)
    """Temperature of sampling; above 1 the symbols become more evenly likely.
    ``self_critical`` follows the gradient of the mean reward only at 1."""
    max_length_ratio: float = Field(default=2.0, ge=1.0)
    """Longest sample, as a multiple of the tokens of its reference (end mark included)."""
    sharpness: float = Field(default=0.005, gt=0.0)
    """``minimum_risk``: the power to which the samples' probabilities are raised (alpha of Shen 2016, equation 10)."""
    includes_reference: bool = False
    """``minimum_risk``: whether the reference is always among the samples (as in Shen 2016, section 3.2)."""
    likelihood_weight: float = Field(default=0.0, ge=0.0)
    """Weight of the negative log-likelihood per token that is added to the loss per sentence; 0: rewards alone."""


class SpanInfilling(Section):
    """Spans of words, each replaced by one mask symbol (Lewis 2020, section 2.2, "text infilling")."""

    mask_probability: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of a sentence's words inside the spans; 0: none."""
    mean_length: float = Field(default=3.0, ge=0.5)
    """Mean of the spans' lengths before they are cut to fit, in words (lambda of the Poisson distribution)."""


class Noise(Section):
    """How sentences are corrupted for ``denoising``, in this order; words are those of the text, whatever pieces they have."""

    shuffle_distance: int = Field(default=3, ge=0)
    """Most places that a word moves (k of Lample 2018, section 2.3); 0: no shuffling."""
    drop_probability: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Probability of dropping a word (Lample 2018, section 2.3); one word always stays."""
    blank_probability: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Probability of replacing a remaining word by the mask symbol (Xie 2017)."""
    span_infilling: SpanInfilling = SpanInfilling()
    """Masking of whole spans."""

    @property
    def is_silent(self) -> bool:
        """Whether sentences stay unchanged."""
        return not (
            self.shuffle_distance or self.drop_probability or self.blank_probability or self.span_infilling.mask_probability
        )


class BackTranslation(Section):
    """How the model translates monolingual sentences in phases by ``back_translation`` (Sennrich 2016, Lample 2018)."""

    decoding: Literal["greedy", "sampling"] = "greedy"
    """Greedy decoding, or sampling (Edunov 2018)."""
    temperature: float = Field(default=1.0, gt=0.0)
    """Temperature of ``sampling``; above 1 the symbols become more evenly likely."""
    max_length_ratio: float = Field(default=1.5, ge=1.0)
    """Longest translation, as a multiple of the tokens of its sentence (end mark included)."""
    round_trip_sentences: int = Field(default=100, ge=0)
    """First sentences of each monolingual corpus that such a phase holds out. Each validation translates them into another language
    and back; the curves ``round_trip_chrf_*`` show how much of them is restored. 0: none."""


class Mixture(Section):
    """The parts of an update with the objectives ``denoising`` and ``back_translation``: a batch of each part with a weight.

    The loss of a part is the mean over its own target tokens in the update, so that weights do not depend on the sizes.
    """

    likelihood_weight: float = Field(default=0.0, ge=0.0)
    """Weight of the parallel pairs; 0: they are not read."""
    denoising_weight: float = Field(default=1.0, ge=0.0)
    """Weight of the monolingual sentences given their noisy versions; 0: left out, possible with ``back_translation`` only."""
    denoising_decay_steps: int = Field(default=0, ge=0)
    """Updates of the phase over which ``denoising_weight`` changes linearly to ``denoising_final_weight``; 0: it stays."""
    denoising_final_weight: float = Field(default=0.1, gt=0.0)
    """The weight after ``denoising_decay_steps``."""
    back_translation_weight: float = Field(default=1.0, gt=0.0)
    """``back_translation``: weight of the monolingual sentences given the model's translations of them."""
