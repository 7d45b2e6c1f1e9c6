"""The base of every section of ``params.yaml``: frozen, closed to unknown keys, explained field by field."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One section of the parameters.

    Every field has a description that states its unit and range; an unknown key is a fault.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)
