"""Changed settings, with their old and new values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seq2seq_core.json_text import shorten
from seq2seq_core.stage_history.stage_reason import StageReason

VALUE_CHARACTERS = 60
_ABSENT = object()


@dataclass(frozen=True)
class SettingChange:
    """A setting with two values.

    Attributes:
        name: ``section.field``, and so on downwards.
        before: as it was; empty: the file did not have it.
        after: as it is; empty: the file does not have it.
    """

    name: str
    before: str
    after: str

    def reason(self) -> StageReason:
        """The change as a reason why a stage runs."""
        if not self.before:
            return StageReason("setting", f"{self.name}: {self.after} (not set before)")
        if not self.after:
            return StageReason("setting", f"{self.name}: not set any more (was {self.before})")
        return StageReason("setting", f"{self.name}: {self.before} → {self.after}")


def compare_settings(before: Mapping[str, Any], after: Mapping[str, Any], names: Sequence[str]) -> list[SettingChange]:
    """The settings that differ, the single ones of a section.

    Args:
        before: the parameters of a stage in ``dvc.lock``, by dotted name.
        after: the content of ``params.yaml``.
        names: of the parameters that the stage reads, dotted.
    """
    return [change for name in names for change in _compare(name, before.get(name, _ABSENT), find_value(after, name))]


def compare_values(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[SettingChange]:
    """The values that differ between two nested mappings.

    Args:
        before: by name of the section.
        after: by name of the section.
    """
    return [
        change for name in {**before, **after} for change in _compare(name, before.get(name, _ABSENT), after.get(name, _ABSENT))
    ]


def find_value(values: Any, name: str) -> Any:
    """The value of a dotted name in nested mappings; a marker of no type where it is missing."""
    for part in name.split("."):
        values = values[part] if isinstance(values, Mapping) and part in values else _ABSENT
    return values


def _compare(name: str, before: Any, after: Any) -> Iterator[SettingChange]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in {**before, **after}:
            yield from _compare(f"{name}.{key}", before.get(key, _ABSENT), after.get(key, _ABSENT))
    elif before is _ABSENT and after is _ABSENT:
        return
    elif before is _ABSENT or after is _ABSENT or before != after:
        yield SettingChange(name, _show(before), _show(after))


def _show(value: Any) -> str:
    if value is _ABSENT:
        return ""
    return shorten(
        value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str), VALUE_CHARACTERS
    )
