"""The names of metrics in the settings: those of the files in ``evaluation/metrics``, so that a new file is a new choice.

Metrics are above the settings, so they are named here and looked up by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from seq2seq_core.named_modules import load, names_of

METRICS = "seq2seq_core.evaluation.metrics"
"""The package with a module a metric."""
ALWAYS_SCORED = ("exact_match", "chrf")
"""The metrics of every validation, whatever it goes by."""
LOSS = "loss"
"""What training minimises: no metric, but a checkpoint may be chosen by it."""


def list_metrics() -> tuple[str, ...]:
    """The names of all metrics, sorted."""
    return names_of(METRICS)


def is_slow(name: str) -> bool:
    """Whether a metric takes too long for each validation, reward, slice or baseline."""
    return bool(load(METRICS, name).METRIC.is_slow)


@dataclass(frozen=True)
class MetricChoice:
    """Validates the name of a metric, like a ``Literal`` of the names would.

    Attributes:
        takes_slow: whether slow metrics are among the choices.
        takes_loss: whether the loss is one.
    """

    takes_slow: bool = False
    takes_loss: bool = False

    def names(self) -> Iterator[str]:
        """The choices. Every metric is imported if slow ones are to be left out."""
        if self.takes_loss:
            yield LOSS
        yield from (name for name in list_metrics() if self.takes_slow or not is_slow(name))

    def check(self, value: object) -> str:
        """The value, if it is a choice.

        Raises:
            PydanticKnownError: it is none; all choices are listed.
        """
        if isinstance(value, str):
            if self.takes_loss and value == LOSS:
                return value
            if value in list_metrics() and (self.takes_slow or not is_slow(value)):
                return value
        *most, last = map(repr, self.names())
        raise PydanticKnownError("literal_error", {"expected": f"{', '.join(most)} or {last}"})

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"enum": list(self.names()), "type": "string"}


MetricName = Annotated[str, MetricChoice(takes_slow=True)]
"""A metric of the test set."""
RewardMetric = Annotated[str, MetricChoice()]
"""A metric of single sentences that a reward is made of."""
DevMetric = Annotated[str, MetricChoice(takes_loss=True)]
"""What a checkpoint is chosen by: dev loss, or a score of greedily decoded dev sources (ROUGE needs the package rouge-score)."""
