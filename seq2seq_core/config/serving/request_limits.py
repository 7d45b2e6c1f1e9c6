"""``serve.limits``: what one request may be and cost. Plain ``mlflow models serve`` takes them from environment variables."""

from __future__ import annotations

import os

from pydantic import Field, ValidationError

from seq2seq_core.config.section import Section, describe_fault

VARIABLE_PREFIX = "S2S_SERVING_"
DEADLINE_VARIABLE, COST_VARIABLE = f"{VARIABLE_PREFIX}DEADLINE_SECONDS", f"{VARIABLE_PREFIX}MAX_COST"

LONE_COLUMN = 0
"""The label that MLflow gives the column of a request without columns, such as a list of texts."""


class RequestLimits(Section):
    """Bounds of a request, all known before decoding but for its deadline."""

    max_rows: int = Field(default=1024, ge=1)
    """Most rows of a request."""
    max_characters: int = Field(default=20_000, ge=1)
    """Most characters (Unicode code points) of a source."""
    max_seconds: int = Field(default=60, ge=1)
    """Longest recording, in seconds."""
    max_pixels: int = Field(default=12_000_000, ge=1, le=100_000_000)
    """Most pixels (width times height) of a picture."""
    max_cost: int = Field(default=1_000_000, ge=1)
    """Most target tokens that a request may make the search compute: the sum over its rows of hypotheses × length limit."""
    deadline_seconds: float = Field(default=50.0, gt=0.0)
    """Time after which a request is answered with status 503 and no longer decoded. MLflow's own server gives up after 60 s."""
    max_waiting_rows: int = Field(default=4096, ge=1)
    """Rows that may wait to be decoded; a request that would make them more is answered with status 503."""
    batch_seconds: float = Field(default=0.5, gt=0.0)
    """Time that the decoding of one batch should take at most; longer requests are cut into several batches, between which others
    get their turn."""
    max_batch_rows: int = Field(default=128, ge=1)
    """Most rows of a batch."""

    def place_of(self, name: str) -> str:
        """Where a limit is set, for messages.

        Args:
            name: a field of this class.
        """
        return f"serve.limits.{name}"


class EnvironmentLimits(RequestLimits):
    """The limits of a model that is not served by ``s2s serve``: environment variables, such as ``S2S_SERVING_MAX_ROWS``."""

    def place_of(self, name: str) -> str:
        """See :meth:`RequestLimits.place_of`."""
        return f"{VARIABLE_PREFIX}{name.upper()}"


def read_limits() -> EnvironmentLimits:
    """The limits of the environment; a variable that is not set gives the default.

    Raises:
        ValueError: a variable is not such a number; the message names it.
    """
    fields = EnvironmentLimits.model_fields
    variables = {name: f"{VARIABLE_PREFIX}{name.upper()}" for name in fields}
    given = {name: text for name, variable in variables.items() if (text := os.environ.get(variable, "").strip())}
    try:
        return EnvironmentLimits.model_validate(given)
    except ValidationError as error:
        detail = error.errors()[0]
        name = str(detail["loc"][0])
        raise ValueError(describe_fault(detail).replace(name, variables[name], 1)) from None
