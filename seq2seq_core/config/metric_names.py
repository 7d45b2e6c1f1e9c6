"""The names of metrics in the settings: the file names in ``evaluation/metrics``, so that a new file is a new choice.

Metrics are in a layer above the settings, so they are only looked up by name here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from seq2seq_core.named_modules import load, names_of

METRICS = "seq2seq_core.evaluation.metrics"
"""The package with one module per metric."""
ALWAYS_SCORED = ("exact_match", "chrf")
"""The metrics of every validation, whatever its ``dev_metric``."""
LOSS = "loss"
"""The name of the loss: not a metric, but a checkpoint may be chosen by it."""
BLEU = "bleu"
"""The metric that reads the settings of a tokeniser."""
DISTORTION = "mel_distortion"
"""The metric of synthesised speech that nobody reads back."""
BleuTokenizer = Literal["none", "13a", "char", "intl", "zh"]
"""A tokeniser of sacreBLEU (``ja-mecab`` and others need extra packages)."""


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
        """The choices. Leaving out slow metrics imports every metric."""
        if self.takes_loss:
            yield LOSS
        yield from (name for name in list_metrics() if self.takes_slow or not is_slow(name))

    def check(self, value: object) -> str:
        """The value, if it is a choice.

        Raises:
            PydanticKnownError: it is not a choice; all choices are listed.
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
"""A metric of single sentences, used as a reward."""
DevMetric = Annotated[str, MetricChoice(takes_loss=True)]
"""The criterion to choose a checkpoint: dev
loss, or a score of greedily decoded dev sources (ROUGE needs the package rouge-score)."""
