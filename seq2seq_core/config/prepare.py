"""``prepare``: cleaning, deduplication and splits."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from seq2seq_core.config.section import OFF, Section, Side
from seq2seq_core.named_modules import names_of
from seq2seq_core.normal_form import NormalForm

CLEANING_RULES = "seq2seq_core.corpus.cleaning_rules"
"""The package with one module per cleaning rule, named like its field of this section."""

Deduplication = Literal["none", "pair", "source"]
"""What must be unique within train."""
LeakagePolicy = Literal["keep", "exact", "near", "similar"]
"""Which train pairs are dropped because of dev or test."""


def _why_no_own_alias(setting: str, reference: str, model_name: str, trained: str) -> str:
    """The reason why a model must not be named by an alias of the one that is trained; empty: it is not."""
    if not reference.startswith(f"models:/{model_name}@"):
        return ""
    return (
        f"{setting}: must be a version such as models:/{model_name}/3, or another model than register.model_name, whose aliases "
        f"come to mean {trained} itself; got {reference!r}"
    )


class Distill(Section):
    """Sequence-level distillation (Kim and Rush 2016): a teacher's outputs for the sources of train become pairs of train."""

    teacher: str = Field(min_length=1)
    """The teacher: ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION`` of the registry, or the folder of a bundle."""
    teacher_digest: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """Digest that the teacher's bundle must have (64 digits), so that nothing else can take its place; empty: any."""
    real_pairs: float = Field(default=1.0, ge=0.0, le=1.0)
    """Share of the different sources of train whose own pairs stay beside those of the teacher: 1 keeps all, 0 none."""
    beam_size: int = Field(default=5, ge=1, le=200)
    """Beam size of the teacher; its other search options are those that it is served with."""
    max_repetitions: int = Field(default=4, ge=0)
    """An output is dropped if it has the same words (without spaces: characters) more often in a row than this, and more often than
    the own target of its source; 0: never."""

    def why_not_beside(self, source_kind: str, model_name: str) -> str:
        """The reason why other settings rule it out; empty: none does.

        Args:
            source_kind: ``text``, ``audio`` or ``image``.
            model_name: the name that the student is registered under.
        """
        if source_kind != "text":
            return f"prepare.distill: must be left out unless corpus.source_kind is 'text', got it with {source_kind!r}"
        return _why_no_own_alias("prepare.distill.teacher", self.teacher, model_name, "the student")


class Augment(Section):
    """Copies of train pairs beside the pairs themselves: with noise in the source, as users write, or with a made-up stem."""

    case: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of the pairs that get a copy in another case: small letters, capitals, a capital for each word, the first letter."""
    typos: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share that gets one with typing errors: letters exchanged, left out, doubled, or replaced by another letter of the text."""
    punctuation: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share that gets one with other punctuation: none, none at the end, a mark doubled, a space before a mark."""
    stems: float = Field(default=0.0, ge=0.0, le=20.0)
    """Copies for each pair whose stem, what both sides have in common, is replaced by random letters of train on both sides
    (Anastasopoulos and Neubig 2019): for inflection with few pairs; 0.5: for every second pair."""
    typo_rate: float = Field(default=0.05, gt=0.0, le=0.5)
    """Share of the letters of a copy that have a typing error; at least one has."""
    seed: int = 1
    """Number that decides which pairs get copies, and with what noise; more rows never change the copies of others."""

    def kinds(self) -> dict[str, float]:
        """The kinds of noise that are on, with the shares of the pairs."""
        shares = {"case": self.case, "typos": self.typos, "punctuation": self.punctuation, "stems": self.stems}
        return {kind: share for kind, share in shares.items() if share}


class ScoreFilter(Section):
    """Dual conditional cross-entropy (Junczys-Dowmunt 2018): train pairs that two models doubt are dropped.

    The score of a pair, from 0 to 1, is high where both models find it likely, and about equally so. One model translates the
    source to the target, the other the target to the source; small ones, trained on cleaner pairs, are enough.
    """

    forward: str = Field(min_length=1)
    """The model from source to target: ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``, or the folder of a bundle."""
    forward_digest: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """Digest that its bundle must have (64 digits); empty: any."""
    backward: str = Field(min_length=1)
    """The model from target to source."""
    backward_digest: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """Digest that its bundle must have (64 digits); empty: any."""
    min_score: float = Field(default=0.0, ge=0.0, le=1.0)
    """Least score of a pair that is kept."""
    keep_fraction: float = Field(default=1.0, gt=0.0, le=1.0)
    """Share of the pairs that is kept at most: those with the highest scores."""

    def models(self) -> dict[str, tuple[str, str]]:
        """By direction, the model and the digest that it must have."""
        return {"forward": (self.forward, self.forward_digest), "backward": (self.backward, self.backward_digest)}

    @model_validator(mode="after")
    def _drops_something(self) -> Self:
        if not self.min_score and self.keep_fraction == 1.0:
            raise ValueError("min_score must be above 0, or keep_fraction below 1, else no pair is dropped")
        return self

    def why_not_beside(self, source_kind: str, model_name: str, both_directions: bool) -> str:
        """The reason why other settings rule it out; empty: none does.

        Args:
            source_kind: ``text``, ``audio`` or ``image``.
            model_name: the name that the trained model is registered under.
            both_directions: whether train has each pair in both directions.
        """
        if source_kind != "text":
            return f"prepare.score_filter: must be left out unless corpus.source_kind is 'text', got it with {source_kind!r}"
        if both_directions:
            return "prepare.score_filter: must be left out with corpus.both_directions, because each model scores one direction"
        reasons = (
            _why_no_own_alias(f"prepare.score_filter.{name}", reference, model_name, "the trained model")
            for name, (reference, _) in self.models().items()
        )
        return next(filter(None, reasons), "")


class PrepareSection(NormalForm):
    """How raw pairs become clean ones.

    A pair is dropped by the first rule that it breaks, in the order of the fields; the funnel counts it under the field's name.
    Each rule is a file in ``corpus/cleaning_rules``.
    """

    drop_control_characters: bool = False
    """Whether a pair with control characters or U+FFFD is dropped (false: such characters are kept)."""
    drop_copies: bool = False
    """Whether a pair whose target equals its source is dropped."""
    min_characters: int = Field(default=1, ge=0)
    """Fewest characters of each side."""
    max_characters: int = Field(default=5000, ge=1)
    """Most characters of each side."""
    max_length_ratio: float = Field(default=0.0, ge=0.0)
    """Largest ratio of the longer to the shorter side in characters; 0 accepts any, as word-to-phones corpora need."""
    drop_other_languages: dict[Side, str] = {}
    """The languages of the sides, such as ``{source: en, target: de}`` (ISO 639). A pair is dropped if a side is surely in another
    one. This takes ten times the time of all other rules."""
    deduplicate: Deduplication = "pair"
    """What must be unique within train: nothing, the pair, or the source (the first one is kept)."""
    leakage: LeakagePolicy = "near"
    """Which train pairs are dropped because of dev or test: none, those with the same source (in NFC and with single spaces), or
    those whose source is the same after NFKC, case folding and removal of punctuation and white space (kept between digits).
    ``similar`` also drops those whose source or target shares most of its characters with a source or target of dev or test: a word
    changed or left out, the same translation, the sides exchanged. It suits sentences; texts of few words are similar by nature."""
    leakage_reason: str = ""
    """Why ``leakage`` is ``keep``; shown beside the scores. Such as: the published split has these rows."""
    leakage_similarity: float = Field(default=0.62, gt=0.0, le=1.0)
    """With ``leakage: similar``, the share of common runs of four characters from which two texts are similar (their Jaccard
    similarity). A lower one finds more that was changed, and drops more that only resembles dev or test."""
    clean_evaluation_splits: bool = False
    """Whether the rules from ``drop_control_characters`` to ``deduplicate`` also apply to dev and test files; the normalisation of
    text always does."""
    dev_fraction: float = Field(default=0.05, ge=0.0, lt=1.0)
    """Share of the different sources of train that becomes dev where no dev file is given."""
    test_fraction: float = Field(default=0.05, ge=0.0, lt=1.0)
    """Share of the different sources of train that becomes test where no test file is given."""
    split_salt: str = ""
    """Text mixed into the hash of a source that decides its split; another text gives other splits."""
    warn_dropped_fraction: float = Field(default=0.2, ge=0.0, le=1.0)
    """Share of a split's rows, or of the sentences of a language, from which on ``prepare`` warns that the rules drop so many."""
    max_dropped_fraction: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share above which it stops. 1 accepts any, as where text repeats by nature. Pairs carved out for dev and test do not count;
    nor does what a teacher writes or replaces."""
    examples: int = Field(default=20, ge=0, le=10000)
    """How many rows ``reports/dropped.jsonl`` keeps of those that each rule drops, and of those that each mending rule and the
    normal form change; they are drawn evenly. ``s2s dropped`` and ``s2s changed`` show them; 0 keeps none."""

    augment: Augment = Augment()
    """Noisy copies of train pairs; none by default."""
    score_filter: ScoreFilter | None = None
    """Two models that score the pairs of train after all other rules; none by default."""
    distill: Distill | None = None
    """A teacher whose outputs become pairs of train; none by default."""

    @classmethod
    def rule_names(cls) -> list[str]:
        """The names of all cleaning rules, in the order of the fields; rules are tried in this order."""
        names = names_of(CLEANING_RULES)
        assert set(names) <= cls.model_fields.keys(), "a cleaning rule has no setting of its name"
        return [field for field in cls.model_fields if field in names]

    @property
    def normal_form(self) -> NormalForm:
        """The form of the prepared texts; every other field decides which pairs are kept, and where."""
        return NormalForm(**{name: getattr(self, name) for name in NormalForm.model_fields})

    def rules_in_use(self) -> list[str]:
        """The names of the cleaning rules that are on, in the order in which they are tried."""
        return [name for name in self.rule_names() if getattr(self, name) not in OFF]

    @model_validator(mode="after")
    def _something_is_left_to_train(self) -> Self:
        if self.dev_fraction + self.test_fraction >= 1.0:
            total = self.dev_fraction + self.test_fraction
            raise ValueError(f"dev_fraction + test_fraction must be below 1, got {total:g}")
        if self.leakage_reason and self.leakage != "keep":
            raise ValueError(f"leakage_reason must be empty unless leakage is keep, got leakage {self.leakage}")
        if self.min_characters > self.max_characters:
            raise ValueError(f"min_characters must be at most max_characters, got {self.min_characters} > {self.max_characters}")
        return self
