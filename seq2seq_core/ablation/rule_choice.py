"""Which rules of ``prepare`` are put to the test, and what each is replaced by."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from seq2seq_core.config.prepare import PrepareSection
from seq2seq_core.config.section import OFF, Section
from seq2seq_core.errors import UserError

NOT_COMPARABLE = {
    "leakage": "without it, the model would be judged by pairs that it has learned",
    "leakage_similarity": "it decides which pairs train shares with dev, by which the model is judged",
    "dev_fraction": "every model is judged by the same dev pairs",
    "test_fraction": "every model is judged by the same dev pairs",
    "split_salt": "every model is judged by the same dev pairs",
    "clean_evaluation_splits": "every model is judged by the same dev pairs",
    "warn_dropped_fraction": "it changes no pair",
    "max_dropped_fraction": "it changes no pair",
    "examples": "it changes no pair",
    "distill": "a teacher is no rule",
}
"""Settings of the section that cannot be put to the test, and why."""
NEUTRAL: dict[type, Any] = {bool: False, int: 0, float: 0.0, dict: {}, list: [], tuple: [], str: "none"}
"""By type of a setting: the value that switches it off."""
NEUTRAL_BY_NAME = {"max_characters": 1_000_000}
"""Values of rules that have no value which switches them off."""


@dataclass(frozen=True)
class RuleChange:
    """A setting of ``prepare`` with another value.

    Attributes:
        name: of the setting.
        value: in place of the present one.
        is_removed: whether the value switches the rule off; else it is tried beside the present settings.
    """

    name: str
    value: Any
    is_removed: bool

    @property
    def title(self) -> str:
        """The change in words, such as ``without drop_copies`` or ``with max_length_ratio=3``."""
        shown = yaml.safe_dump(self.value, default_flow_style=True, width=sys.maxsize).partition("\n")[0]
        return f"without {self.name}" if self.is_removed else f"with {self.name}={shown}"


def parse_changes(texts: Sequence[str], section: PrepareSection) -> list[RuleChange]:
    """The changes that are asked for.

    Args:
        texts: each ``NAME``, a rule that is on and is tried without, or ``NAME=VALUE``, a value in YAML that is tried.
        section: ``prepare``.

    Raises:
        UserError: there is no such setting, it cannot be compared, it is off, or it has that value already.
    """
    changes = [_parse(text, section) for text in texts]
    if len({change.title for change in changes}) < len(changes):
        raise UserError(f"the rules must be different from one another, got {', '.join(texts)}")
    return changes


def _parse(text: str, section: PrepareSection) -> RuleChange:
    name, equals, value = text.partition("=")
    if reason := NOT_COMPARABLE.get(name):
        raise UserError(f"prepare.{name} cannot be put to the test: {reason}")
    known = sorted(PrepareSection.model_fields.keys() - NOT_COMPARABLE.keys())
    if name not in known:
        raise UserError(f"{name!r} is no setting of the section prepare; expected one of {', '.join(known)}")
    present = getattr(section, name)
    if not equals:
        if _is_off(present):
            raise UserError(f"prepare.{name} is off, so nothing can be tried without it; {name}=VALUE tries a value")
        return RuleChange(name, neutral_value(name, present), is_removed=True)
    try:
        wanted = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UserError(f"{text!r}: the value is no YAML: {str(error).splitlines()[0]}") from None
    if wanted == present:
        raise UserError(f"prepare.{name} is {value} already; expected another value")
    return RuleChange(name, wanted, is_removed=False)


def neutral_value(name: str, present: object) -> Any:
    """The value that switches a rule off.

    Args:
        name: of the setting.
        present: its value.
    """
    if isinstance(present, Section):
        return None if _needs_values(present) else {}
    return NEUTRAL_BY_NAME[name] if name in NEUTRAL_BY_NAME else NEUTRAL.get(type(present), {})


def _needs_values(section: Section) -> bool:
    """Whether a section cannot stand without values; such a one is switched off by being left out."""
    return any(field.is_required() for field in type(section).model_fields.values())


def _is_off(value: object) -> bool:
    if isinstance(value, Section):
        return not _needs_values(value) and value == type(value)()
    return not value or value in OFF


def rules_that_drop(section: PrepareSection, dropped: Mapping[str, int]) -> list[RuleChange]:
    """The rules that are on and dropped a row of train, each to be tried without.

    Args:
        section: ``prepare``.
        dropped: the rows of train that each rule dropped.
    """
    names = [
        name for name, count in dropped.items() if count and name in PrepareSection.model_fields and name not in NOT_COMPARABLE
    ]
    return [RuleChange(name, neutral_value(name, getattr(section, name)), is_removed=True) for name in names]
