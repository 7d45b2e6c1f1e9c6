"""The facts that a model card shows. They are kept beside it as JSON, so that a later decision can renew the card."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from seq2seq_core.drift.drift_report import DriftReport


class Fact(BaseModel):
    """A part of the facts."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")


class Figure(Fact):
    """A score, with its 95 % interval where it has one."""

    value: float
    low: float | None = None
    high: float | None = None


class Split(Fact):
    """The funnel of one split."""

    name: str
    rows_in: int
    dropped: dict[str, int]
    carved: dict[str, int]
    changed: dict[str, int] = {}
    """Rows out whose texts were mended or normalised, by rule."""
    augmented: dict[str, int] = {}
    """Noisy copies among the rows out, by kind."""
    rows_out: int
    lengths: dict[str, dict[str, float]]
    """Mean, quantiles and maximum in characters, by side."""


class Breach(Fact):
    """A contract that the data broke."""

    statement: str
    split: str
    severity: str
    rows: int


class CorpusSource(Fact):
    """An import that the corpus is made of."""

    source: str
    version: str
    licence: str


class CurvePoint(Fact):
    """A line of the training curve."""

    step: int
    train_loss: float | None = None
    dev_loss: float | None = None
    dev_score: float | None = None


class Coverage(Fact):
    """What the test set has and the training set has not."""

    train_rows: int
    """Training rows that were looked at."""
    is_whole: bool
    """Whether these are all of them."""
    unseen_symbols: dict[str, int]
    """Symbols of test sources that no training source has, with the number of test rows that have them."""
    unseen_values: dict[str, dict[str, int]]
    """By column, the values that only test rows have, with the number of these rows."""


class Origin(Fact):
    """Where a version comes from: settings, data, training."""

    purpose: str = ""
    use: dict[str, str] = {}
    """Task, corpus, columns, architecture, decoding: a label and a text each."""
    sources: list[CorpusSource] = []
    """What `s2s import` wrote down of the corpus; empty for one that came otherwise."""
    splits: list[Split] = []
    contracts: int = 0
    """Number of contracts that were checked."""
    breaches: list[Breach] = []
    training: dict[str, str] = {}
    curve: list[CurvePoint] = []
    dev_metric: str = ""
    unknown: dict[str, float] = {}
    """Share of unknown tokens, by split and side."""
    coverage: Coverage | None = None
    inputs: dict[str, str] = {}
    """Digests of the raw corpus and of the intermediate files, by name."""


class SliceScore(Fact):
    """The score of a part of the test set."""

    column: str
    value: str
    count: int
    score: float


class WorstRow(Fact):
    """A wrong answer."""

    row: int
    source: str
    reference: str
    hypothesis: str
    cer: float


class ReliabilityBin(Fact):
    """Answers whose probability lies in one range."""

    low: float
    high: float
    count: int
    confidence: float
    right: float


class Calibration(Fact):
    """How far the model's own probabilities can be trusted."""

    bins: list[ReliabilityBin]
    error: float | None
    """Expected calibration error; None where too few answers equal their reference for it to mean anything."""
    quality: list[Figure]
    """The score of each fifth of the answers, from the least to the most certain."""
    ranking: float | None
    """Chance that a right answer is more certain than a wrong one; None without both kinds."""


class CalibratedOn(Fact):
    """What a calibrator was fitted on."""

    event: str
    min_chrf: float
    rows: int
    right: int


class ErrorOfCalibration(Fact):
    """An expected calibration error, its 95 % interval, and what chance alone would show."""

    value: float
    low: float
    high: float
    by_chance: float


class Promise(Fact):
    """A threshold of the confidence, and the share of wrong answers that it promises and keeps."""

    max_error: float
    min_confidence: float
    dev_answered: float
    dev_error: float
    answered: float
    error: float
    low: float
    high: float
    is_kept: bool


class Confidence(Fact):
    """How far the calibrated confidences can be trusted: ``reports/evaluation/confidence.json``."""

    dev: CalibratedOn
    rows: int
    right: float
    mean_confidence: float
    ranking: float | None
    calibration_error: ErrorOfCalibration
    bins: list[ReliabilityBin]
    promises: list[Promise]


class Answers(Fact):
    """What the evaluation of a version showed."""

    test_set: str
    rows: int
    wrong: int
    is_cut: int
    empty: int
    slices: list[SliceScore]
    worst: list[WorstRow]
    calibration: Calibration | None
    confidence: Confidence | None = None
    example: tuple[str, str] | None
    """A source and its right answer."""


class SliceGain(Fact):
    """The comparison with the champion on a part of the test set."""

    name: str
    rows: int
    champion: float
    challenger: float
    p_worse: float
    p_better: float


class WeakPart(Fact):
    """A part of the test set where the version is worse than elsewhere."""

    name: str
    rows: int
    score: float
    p_value: float


class Standing(Fact):
    """What the ledger says of a version that its last decision by the gate does not say."""

    word: str
    """``champion``, ``challenger`` or ``former champion``."""
    text: str = ""
    """Since when, and by whose move; empty where the decision by the gate says it all."""


class Decision(Fact):
    """The decision on a version, and the evidence."""

    verdict: str
    reason: str
    metric: str
    outcome: str
    refusals: list[str]
    test_set: str
    rows: int
    look: int
    looks: int = 0
    """How many comparisons were made on the test set; 0: an earlier release wrote the card, and ``look`` is the last one."""
    level: float
    alpha: float
    spent: float
    outlook: str
    champion: str
    """The version that it was compared with; empty: none."""
    gain: Figure | None
    p_better: float | None
    p_worse: float | None
    differing: int | None
    method: str
    policy: str
    figures: dict[str, dict[str, Figure]]
    """By system and metric; the version itself is the first system."""
    slices: list[SliceGain]
    weak: list[WeakPart]


class Runtime(Fact):
    """Size and speed on the machine that registered the version."""

    megabytes: float
    parameters: int
    milliseconds: float | None
    device: str
    machine: str
    threads: int


class CardFacts(Fact):
    """All facts of a card."""

    model: str
    version: str
    origin: Origin | None
    answers: Answers | None
    decision: Decision
    standing: Standing | None = None
    drift: DriftReport | None = None
    """How the corpus differs from the champion's; None: nothing was compared."""
    runtime: Runtime | None
    lineage: dict[str, str]
