"""Decoding options: the one list of them.

Every interface takes the name, type, bounds, default and description of an option from its field here: the section ``evaluate``,
the options of ``s2s predict``, the parameters of a request and MLflow's schema. A new option needs a field here and the code that
uses it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, get_origin

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from seq2seq_core.config.section import Section, field_meanings

EngineName = Literal["auto", "torch", "ctranslate2"]
"""What decodes with an exported model."""
ComputeType = Literal["float32", "int8", "int8_float32", "int16", "bfloat16"]
"""The type of an engine's weights, by CTranslate2's names."""
AnswerEvent = Literal["exact_match", "chrf"]
"""What a right answer is: the reference itself, or an answer whose sentence-level chrF reaches a threshold."""
QUANTIZED_TYPES: tuple[ComputeType, ...] = ("int8", "int8_float32")
"""The types below float32 that PyTorch has here, which are one: products of large matrices in 8 bits, the rest in float32."""
SEARCH, SAMPLING = "Search", "Sampling"
"""Headings of the command line's help."""


@dataclass(frozen=True)
class Offer:
    """How an option is offered on the command line and in requests. An option without an offer is in neither.

    Attributes:
        heading: its heading in the command line's help, ``SEARCH`` or ``SAMPLING``.
        flag: its name on the command line; None: the field's name; empty: no flag of its own.
        lowest: lowest value in an evaluation or request; None: the field's bound.
        highest: highest value in an evaluation or request; None: the field's bound.
        in_requests: whether a request may set it.
        needs_sampling: whether a value other than the default is refused without sampling.
    """

    heading: str
    flag: str | None = None
    lowest: float | None = None
    highest: float | None = None
    in_requests: bool = True
    needs_sampling: bool = False

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The field's JSON schema with the bounds of the offer, as the reference of settings shows them."""
        found = handler(schema)
        if self.lowest is not None:
            found.pop("exclusiveMinimum", None)
        bounds = {"minimum": self.lowest, "maximum": self.highest}
        return found | {name: bound for name, bound in bounds.items() if bound is not None}


class SearchOptions(Section):
    """Options of the search that an evaluation sets; the model is used with the options that it is evaluated with."""

    beam_size: Annotated[int, Offer(SEARCH, highest=200)] = Field(default=5, ge=1, le=100_000)
    """Hypotheses kept at each step of beam search; 1 is greedy decoding."""
    length_penalty: Annotated[float, Offer(SEARCH, highest=10.0)] = Field(default=1.0, ge=0.0)
    """Exponent of the length penalty (Wu 2016, equation 14); 0: none."""
    max_length_ratio: Annotated[float, Offer(SEARCH, lowest=0.01, highest=1000.0)] = Field(default=3.0, gt=0.0)
    """Most target tokens, as a multiple of the source's tokens or frames (end mark included); the offset comes on top."""
    max_length_offset: Annotated[int, Offer(SEARCH, highest=4096)] = Field(default=20, ge=1)
    """Target tokens allowed beyond that multiple."""
    max_length: Annotated[int, Offer(SEARCH, highest=4096)] = Field(default=0, ge=0)
    """Most target tokens whatever the source's length; 0: by ratio and offset."""
    min_length: Annotated[int, Offer(SEARCH, highest=4096)] = Field(default=0, ge=0)
    """Fewest target tokens, the end mark not counted; raises a limit by ratio and offset that is below it."""
    no_repeat_ngram_size: Annotated[int, Offer(SEARCH, highest=100)] = Field(default=0, ge=0)
    """No run of this many target tokens comes twice in a hypothesis (Paulus 2018, section 2.5); 0: any may."""
    lexicon: Annotated[bool, Offer(SEARCH)] = False
    """Whether a source that train has, with the same tags, gets its commonest target there, without the model; in beam search,
    where nothing is asked of the wording."""
    ctc_weight: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of the encoder's own symbols in the probability of each symbol, for a model with ``model.ctc`` (joint decoding,
    Watanabe 2017, section II.C); 1: attention has no say."""
    max_source_tokens: int = Field(default=1024, ge=2)
    """A source with more tokens (end mark included) is cut to this many, with a warning."""
    max_source_frames: int = Field(default=6000, ge=1)
    """A source of frames with more of them (a minute, at a frame every 10 ms) is cut to this many, with a warning."""

    @model_validator(mode="after")
    def _lengths_go_together(self) -> Self:
        if self.max_length and self.min_length > self.max_length:
            raise ValueError(f"min_length must be at most max_length, got {self.min_length} > {self.max_length}")
        return self

    @property
    def limiting_option(self) -> str:
        """The name of the option to enlarge where hypotheses are cut."""
        return "max_length" if self.max_length else "max_length_ratio"

    def length_limit(self, source_length: int) -> int:
        """The largest number of target tokens for a source, the end mark not counted.

        Args:
            source_length: the source's tokens (end mark included) or frames.
        """
        return self.max_length or max(self.min_length, int(self.max_length_ratio * source_length) + self.max_length_offset)


class DecodingOptions(SearchOptions):
    """All options of decoding, the same for the command line, the evaluator and the served model."""

    method: Annotated[Literal["beam", "sampling"], Offer(SAMPLING, flag="")] = "beam"
    """Beam search, or hypotheses drawn at random."""
    temperature: Annotated[float, Offer(SAMPLING, lowest=0.01, highest=100.0, needs_sampling=True)] = Field(default=1.0, gt=0.0)
    """Of sampling: what log-probabilities are divided by; below 1 the likely symbols become likelier."""
    top_k: Annotated[int, Offer(SAMPLING, highest=1_000_000, needs_sampling=True)] = Field(default=0, ge=0)
    """Of sampling: how many of the likeliest symbols may be drawn; 0: all."""
    top_p: Annotated[float, Offer(SAMPLING, lowest=0.001, needs_sampling=True)] = Field(default=1.0, gt=0.0, le=1.0)
    """Of sampling: the fewest likeliest symbols that reach this share may be drawn (Holtzman 2020); 1: all."""
    seed: Annotated[int, Offer(SAMPLING, highest=2**31 - 1)] = Field(default=0, ge=0)
    """Of sampling: the same seed and source give the same samples, whatever else is in the batch."""
    selection: Annotated[Literal["score", "mbr"], Offer(SAMPLING, flag="")] = "score"
    """Of sampling: ``score`` returns the samples as drawn, ``mbr`` the different ones of greatest expected chrF against all
    (minimum Bayes risk, Eikema and Aziz 2020)."""
    mbr_samples: Annotated[int, Offer(SAMPLING, flag="", highest=200)] = Field(default=32, ge=2, le=1000)
    """Of ``mbr``: samples drawn for each source."""
    num_hypotheses: Annotated[int, Offer(SEARCH, flag="nbest", in_requests=False)] = Field(default=1, ge=1, le=100_000)
    """Hypotheses returned for each source: the best, at most the beam size or the samples of ``mbr``, or as many as are drawn."""
    diversity_groups: Annotated[int, Offer(SEARCH, highest=200)] = Field(default=1, ge=1, le=100_000)
    """Groups of equal size that share the beam, each searched so that it differs from those before it (diverse beam search,
    Vijayakumar 2018); 1: off. For lists of several hypotheses."""
    diversity_penalty: Annotated[float, Offer(SEARCH, highest=100.0)] = Field(default=0.5, ge=0.0)
    """Of several groups: what a symbol's log-probability loses for each hypothesis of an earlier group that it extends in the same
    step."""
    min_confidence: Annotated[float, Offer(SEARCH)] = Field(default=0.0, ge=0.0, le=1.0)
    """Answers of a lower confidence are withheld (needs a model with a calibrator); 0: none are."""

    @model_validator(mode="after")
    def _options_go_together(self) -> Self:
        if faults := list(self._conflicts()):
            raise ValueError("; ".join(faults))
        return self

    def _conflicts(self) -> Iterator[str]:
        """Conflicts between options that are each in range."""
        if self.method == "sampling":
            if self.min_confidence:
                yield f"min_confidence must be 0 where method is sampling, got {self.min_confidence:g}"
            if self.selection == "mbr" and self.num_hypotheses > self.mbr_samples:
                yield f"num_hypotheses must be at most mbr_samples, got {self.num_hypotheses} > {self.mbr_samples}"
            if self.diversity_groups > 1:
                yield f"diversity_groups must be 1 where method is sampling, got {self.diversity_groups}"
            return
        if self.selection == "mbr":
            yield "selection must be score where method is not sampling, got mbr"
        if self.num_hypotheses > self.beam_size:
            yield f"num_hypotheses must be at most beam_size, got {self.num_hypotheses} > {self.beam_size}"
        if self.beam_size % self.diversity_groups:
            yield f"beam_size must be a multiple of diversity_groups {self.diversity_groups}, got {self.beam_size}"
        for option in offered_options():
            if option.offer.needs_sampling and getattr(self, option.name) != option.default:
                yield f"{option.name} must be {option.default:g} where method is not sampling, got {getattr(self, option.name)}"

    def override(self, **values: Any) -> DecodingOptions:
        """A copy of the options with some values replaced.

        Args:
            values: by the names of the fields.

        Raises:
            ValidationError: a value is out of range, or does not go with another option.
        """
        return DecodingOptions.model_validate(self.model_dump() | values)

    @property
    def num_samples(self) -> int:
        """Hypotheses that sampling draws for each source."""
        return self.mbr_samples if self.selection == "mbr" else self.num_hypotheses

    @property
    def rows_per_source(self) -> int:
        """Hypotheses of a source that are decoded at the same time."""
        return self.num_samples if self.method == "sampling" else self.beam_size


@dataclass(frozen=True)
class OfferedOption:
    """An option as it is offered outside Python.

    Attributes:
        name: the name of its field.
        offer: where it is offered, and under what name.
        kind: ``int``, ``float``, ``bool`` or ``str`` (one of several names).
        lowest: lowest value in an evaluation or request; None for a name or a truth value.
        highest: highest value in an evaluation or request; None likewise.
        description: what it does.
        default: its value where nobody asks.
    """

    name: str
    offer: Offer
    kind: type
    lowest: float | None
    highest: float | None
    description: str
    default: Any

    @property
    def flag(self) -> str:
        """Its name on the command line, without the leading hyphens; empty: there is none."""
        return (self.name if self.offer.flag is None else self.offer.flag).replace("_", "-")

    def range_fault(self, value: float) -> str:
        """The fault of a value in an evaluation or request; empty: none.

        Args:
            value: a value of the option's kind.
        """
        if self.lowest is None or self.highest is None or self.lowest <= value <= self.highest:
            return ""
        return f"must be from {_plain(self.lowest)} to {_plain(self.highest)}, got {value!r}"


def offered_options() -> list[OfferedOption]:
    """The options that are offered outside Python, in the order of the fields."""
    found, meanings = [], field_meanings(DecodingOptions)
    for name, field in DecodingOptions.model_fields.items():
        if offer := next((item for item in field.metadata if isinstance(item, Offer)), None):
            kind: Any = str if get_origin(field.annotation) is Literal else field.annotation
            assert kind in (int, float, bool, str), f"{name}: only these can be asked for, not a {kind}"
            lowest = highest = None
            if kind in (int, float):
                lowest, highest = _bound(offer.lowest, field, "ge"), _bound(offer.highest, field, "le")
            found.append(OfferedOption(name, offer, kind, lowest, highest, meanings[name], field.default))
    return found


def _bound(narrower: float | None, field: FieldInfo, side: Literal["ge", "le"]) -> float:
    """The bound of a number outside Python: that of its offer, or its own."""
    bounds = [getattr(item, side) for item in field.metadata if hasattr(item, side)]
    bound = narrower if narrower is not None else next(iter(bounds), None)
    assert bound is not None, "an offered number has two bounds"
    return float(bound) if field.annotation is float else int(bound)


def _plain(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"
