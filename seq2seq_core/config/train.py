"""``train``: the objective, the optimiser, the batches and when to stop; one phase, or several one after another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from seq2seq_core.config.frames.picture_settings import PictureAugment
from seq2seq_core.config.metric_names import BLEU, LOSS, BleuTokenizer, DevMetric
from seq2seq_core.config.named.judge import JUDGED_OBJECTIVES, Judge
from seq2seq_core.config.objective_sections import (
    MONOLINGUAL_OBJECTIVES,
    REWARD_OBJECTIVES,
    BackTranslation,
    Mixture,
    Noise,
    Objective,
    Reinforcement,
)
from seq2seq_core.config.recipe import Divergence, EnsembleSettings, Plateau
from seq2seq_core.config.regularization import ScheduledSampling, SpecAugment, SubwordSampling
from seq2seq_core.config.section import Section
from seq2seq_core.config.speech.speech_settings import FrameLoss

Schedule = Literal["constant", "inverse_sqrt", "linear", "cosine", "plateau"]
"""Shape of the learning rate after the warm-up: a module of ``training/updates/schedules``."""
Optimizer = Literal["adamw", "adafactor"]
"""AdamW (Loshchilov and Hutter 2019), or Adafactor (Shazeer and Stern 2018)."""
Decay = Annotated[float, Field(ge=0.0, lt=1.0)]
"""Decay of a running average, from 0 to below 1."""


class PhaseSettings(Section):
    """Settings of one training phase."""

    max_steps: int = Field(default=10_000, ge=1)
    """Most updates of the weights."""
    max_epochs: int = Field(default=0, ge=0)
    """Most passes over train, or over the part with most batches where an update has several; 0: no limit but ``max_steps``."""
    batch_tokens: int = Field(default=4096, ge=16)
    """Most tokens of a batch, padding included: rows times the longest source plus longest target."""
    accumulation: int = Field(default=1, ge=1)
    """Batches whose gradients are added up for one update; with several parts, of each."""
    sampling_temperature: float = Field(default=1.0, ge=1.0)
    """T of sampling by groups of ``tokenize.group_columns``: a group of n pairs is drawn in proportion to n ** (1 / T) (Arivazhagan
    2019, section 4.2). 1: all pairs equally often; 5: pairs of small groups far more often than those of large
    ones. An epoch has as
    many draws as train has pairs."""
    learning_rate: float = Field(default=1e-3, gt=0.0, le=1.0)
    """Highest learning rate of the schedule; with ``adafactor`` relative to the size of the weights (their root mean square)."""
    schedule: Schedule = "inverse_sqrt"
    """Shape of the learning rate after the warm-up."""
    plateau: Plateau = Plateau()
    """When and how far ``schedule: plateau`` lowers the learning rate."""
    warmup_steps: int = Field(default=400, ge=0)
    """Updates over which the learning rate rises linearly from 0."""
    optimizer: Optimizer = "adamw"
    """AdamW (Loshchilov and Hutter 2019), or Adafactor (Shazeer and Stern 2018), whose state of a matrix is a row and a column."""
    weight_decay: float = Field(default=0.0, ge=0.0)
    """Decoupled weight decay, on matrices only."""
    adam_betas: tuple[Decay, Decay] = (0.9, 0.98)
    """Decay of AdamW's running averages of the gradient and of its square, each from 0 to below 1; not used
    by Adafactor."""
    gradient_clip_norm: float = Field(default=1.0, ge=0.0)
    """Largest norm of the whole gradient; 0: no clipping."""
    divergence: Divergence = Divergence()
    """Detection and handling of divergence."""
    freeze: list[Annotated[str, Field(min_length=1)]] = []
    """Parameters that are not trained: parts (``encoder``, ``decoder``, ``output``, ``embedding``, ``source_embedding``,
    ``target_embedding``) or prefixes of parameter
    names, such as ``encoder.layers.0``. Frozen parameters have no optimiser state."""
    average_decay: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Decay of a running average of the weights, such as 0.999. The average is validated, kept and passed to the next phase (Polyak
    and Juditsky 1992). 0: the weights themselves."""
    average_last: int = Field(default=0, ge=0, le=100)
    """Number of last validations, the present one included, whose weights are averaged. The mean is validated, kept and passed to
    the next phase (Vaswani 2017, section 6.1). The training state keeps the weights of each. 0: the weights themselves. Not
    together with ``average_decay``."""
    label_smoothing: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Probability mass spread over the vocabulary (Szegedy 2016, section 7)."""
    r_drop_weight: float = Field(default=0.0, ge=0.0)
    """Weight of the divergence between two passes with dropout (alpha of Liang 2021, equation 4); 0: a single pass."""
    coverage_weight: float = Field(default=0.0, ge=0.0)
    """Weight of the penalty on attending to a source position again (lambda of See 2017, equation 13); needs ``model.coverage``."""
    ctc_weight: float = Field(default=0.0, ge=0.0)
    """Weight of the encoder's own loss, connectionist temporal classification (Graves 2006; Watanabe 2017, equation 13), for
    targets that follow the order of their sources, such as the text of a line or of a recording; needs ``model.ctc``."""
    scheduled_sampling: ScheduledSampling = ScheduledSampling()
    """Reading the model's own predictions in training."""
    subword_sampling: SubwordSampling = SubwordSampling()
    """Reading other segmentations in training."""
    picture_augment: PictureAugment = PictureAugment()
    """Random changes of the pictures that are read in training."""
    spec_augment: SpecAugment = SpecAugment()
    """Masks over the frames that are read in training."""
    reinforcement: Reinforcement = Reinforcement()
    """Rewards; read only by the objectives ``minimum_risk`` and ``self_critical``."""
    judge: Judge | None = None
    """A second model that reads what this one writes; asked only by ``minimum_risk``, ``self_critical`` and ``frames``."""
    frames: FrameLoss = FrameLoss()
    """The loss of frames; read only by the objective ``frames``."""
    noise: Noise = Noise()
    """Corruption of monolingual sentences; read by ``denoising`` and ``back_translation``."""
    back_translation: BackTranslation = BackTranslation()
    """Translations of monolingual sentences; read by ``back_translation``."""
    mixture: Mixture = Mixture()
    """Parts of an update; read by ``denoising`` and ``back_translation``."""
    validate_every_steps: int = Field(default=500, ge=1)
    """Updates between two validations; a checkpoint is written at each."""
    dev_metric: DevMetric = LOSS
    """Metric for the best checkpoint and early stopping; among equal scores the checkpoint with the lower dev loss is kept. While
    the score is at its worst (an error rate: 1 or more), a lower dev loss counts as a better score."""
    dev_bleu_tokenizer: BleuTokenizer = "13a"
    """sacreBLEU's tokeniser for ``dev_metric: bleu``: ``zh`` for Chinese and ``char`` for other languages without spaces. Normally
    the same as ``evaluate.bleu_tokenizer``."""
    patience: int = Field(default=10, ge=0)
    """Validations without a better dev metric before training stops early; 0: never."""
    min_improvement: float = Field(default=0.0, ge=0.0)
    """Least improvement of the dev metric that ``patience`` and ``plateau.patience`` count, against the last one counted, in its
    own unit. For the best checkpoint any improvement counts, and so it does of the dev loss while the score is at its worst."""

    @property
    def dev_criterion(self) -> tuple[str, str]:
        """The dev metric with its options: scores of phases can be compared if theirs are equal."""
        return self.dev_metric, self.dev_bleu_tokenizer if self.dev_metric == BLEU else ""

    @model_validator(mode="after")
    def _warm_up_ends_before_training(self) -> Self:
        if self.schedule in ("linear", "cosine") and self.warmup_steps >= self.max_steps:
            raise ValueError(
                f"warmup_steps must be below max_steps with schedule {self.schedule!r}, "
                f"got warmup_steps {self.warmup_steps} and max_steps {self.max_steps}"
            )
        return self

    @model_validator(mode="after")
    def _plateaus_come_before_the_end(self) -> Self:
        if self.schedule == "plateau" and 0 < self.patience <= self.plateau.patience:
            raise ValueError(
                "plateau.patience must be below patience with schedule 'plateau', or training stops before the rate falls, "
                f"got {self.plateau.patience} and patience {self.patience}"
            )
        return self

    @model_validator(mode="after")
    def _averages_in_one_way(self) -> Self:
        if self.average_decay and self.average_last:
            raise ValueError(
                f"average_last must be 0 with average_decay above 0 (one average of the weights), got {self.average_last} "
                f"and average_decay {self.average_decay:g}"
            )
        return self


class Phase(PhaseSettings):
    """One of several phases; it starts from the best weights of the one before.

    Fields that it leaves out have the values of ``train``.
    """

    objective: Objective
    """Objective to maximise: the ``likelihood`` of the references; the reward of samples, by minimum risk training (Shen 2016) or
    self-critical sequence training (Rennie 2017); the likelihood of monolingual sentences, by ``denoising`` alone or with
    ``back_translation`` (Lample 2018); of targets that are recordings the differences of ``frames`` (Shen 2018), which are
    minimised."""

    @property
    def reads_pairs(self) -> bool:
        """Whether the phase learns from parallel pairs."""
        return self.objective not in MONOLINGUAL_OBJECTIVES or self.mixture.likelihood_weight > 0

    @property
    def asks_judge(self) -> bool:
        """Whether a second model judges what the model writes."""
        return self.judge is not None and self.objective in JUDGED_OBJECTIVES

    @property
    def reads_noise(self) -> bool:
        """Whether the phase learns from noisy sentences."""
        return self.objective in MONOLINGUAL_OBJECTIVES and self.mixture.denoising_weight > 0

    @model_validator(mode="after")
    def _denoising_has_noise(self) -> Self:
        if self.objective == "denoising" and not self.mixture.denoising_weight:
            raise ValueError("mixture.denoising_weight must be above 0 with objective 'denoising', got 0")
        if self.reads_noise and self.noise.is_silent:
            raise ValueError("noise must have a distance or probability above 0 where sentences are denoised, got none")
        return self

    @model_validator(mode="after")
    def _risk_compares_samples(self) -> Self:
        section = self.reinforcement
        if self.objective == "minimum_risk" and section.num_samples == 1 and not section.includes_reference:
            raise ValueError(
                "reinforcement.num_samples must be at least 2 with objective 'minimum_risk' (or reinforcement.includes_reference "
                "true), got 1"
            )
        return self


def _inherit(phase: object, info: ValidationInfo) -> object:
    """A phase as it stands in the file, with what it leaves out taken from ``train``.

    Fields of ``train`` with a fault are no part of ``info.data``: they are reported once, there, and not with each phase.
    """
    if not isinstance(phase, Mapping):
        return phase
    flat = {name: value for name, value in info.data.items() if name in PhaseSettings.model_fields}
    return _merge(flat, phase)


def _merge(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The values of ``base``, overridden by those of ``own``; nested sections are merged likewise."""
    merged = {name: value.model_dump() if isinstance(value, Section) else value for name, value in base.items()}
    for name, value in own.items():
        below = merged.get(name)
        merged[name] = _merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


class TrainSection(PhaseSettings):
    """Settings of the training."""

    seed: int = Field(default=1, ge=0)
    """Seed of initial weights, order of batches and dropout."""
    dev_sentences: int = Field(default=500, ge=0)
    """Dev sources decoded at each validation (the first ones of dev); 0: none, possible only with ``dev_metric: loss``."""
    sized_for_pairs: int = Field(default=0, ge=0)
    """Rows of train that the sizes of model and training were chosen for; ``s2s retrain`` tells where train has become twice as
    large. Changes nothing. 0: unknown."""
    initial_weights: str = ""
    """Initial weights: a bundle's folder (relative to the workspace), ``models:/NAME/VERSION``, ``models:/NAME@ALIAS`` or
    ``runs:/RUN/PATH``; empty: random."""
    initial_digest: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """SHA-256 of that bundle, as ``s2s train`` reports it: another bundle is rejected, and ``dvc repro`` trains again when this
    changes.
    Empty: any."""
    ensemble: EnsembleSettings = EnsembleSettings()
    """Models that are trained as one stage and decode together; none by default."""
    phases: list[Annotated[Phase, BeforeValidator(_inherit)]] = []
    """Phases one after another, each from the best weights of the one before; none: a single one by ``likelihood``."""

    @field_validator("phases")
    @classmethod
    def _begins_with_what_a_fresh_model_can_learn(cls, phases: list[Phase], info: ValidationInfo) -> list[Phase]:
        if info.data.get("initial_weights"):
            return phases
        if phases and phases[0].objective in REWARD_OBJECTIVES:
            raise ValueError(f"must begin with a phase by 'likelihood' or 'denoising', got {phases[0].objective!r} first")
        if phases and phases[0].objective == "back_translation" and not (phases[0].reads_noise or phases[0].reads_pairs):
            raise ValueError(
                "must begin with a phase by 'likelihood' or 'denoising', got 'back_translation' first, with neither "
                "mixture.denoising_weight nor mixture.likelihood_weight"
            )
        return phases

    @model_validator(mode="after")
    def _digest_is_of_something(self) -> Self:
        if self.initial_digest and not self.initial_weights:
            raise ValueError("initial_digest must be empty without initial_weights, got one")
        return self

    @model_validator(mode="after")
    def _snapshots_are_of_one_phase(self) -> Self:
        if self.ensemble.num_snapshots and self.phases:
            raise ValueError("ensemble.kind must be seeds with phases, got snapshots")
        if self.ensemble.num_snapshots and self.average_last:
            raise ValueError("average_last must be 0 with an ensemble of snapshots (both keep the weights of the last validations)")
        return self

    def members(self) -> list[TrainSection]:
        """The trainings of an ensemble of seeds, each of one model; itself where there is none."""
        if self.ensemble.num_seeds == 1:
            return [self]
        alone = {"ensemble": EnsembleSettings()}
        return [self.model_copy(update={"seed": self.seed + place, **alone}) for place in range(self.ensemble.num_seeds)]

    def named_metrics(self) -> list[str]:
        """The metrics for choosing checkpoints and for rewards; each once, without the loss."""
        names = [
            name
            for phase in self.all_phases()
            for name in (phase.dev_metric, phase.reinforcement.reward if phase.objective in REWARD_OBJECTIVES else LOSS)
        ]
        return [name for name in dict.fromkeys(names) if name != LOSS]

    def first_phases(self, number: int) -> TrainSection:
        """The training that ends after some phases.

        Args:
            number: how many of :meth:`all_phases`.
        """
        return self.model_copy(update={"phases": self.all_phases()[:number]})

    def all_phases(self) -> list[Phase]:
        """Every phase, with nothing left out; at least one."""
        flat = {name: getattr(self, name) for name in PhaseSettings.model_fields}
        return list(self.phases) or [Phase(objective="likelihood", **flat)]
