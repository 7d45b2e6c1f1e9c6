"""Changed code: the cleaning rule, function and line that differ from what a stage ran with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from seq2seq_core.artifacts import Paths
from seq2seq_core.code_digests.definitions import IMPORTS, DefinitionChange, compare_definitions
from seq2seq_core.code_digests.features import PARTS
from seq2seq_core.code_digests.reach import find_module, has_settings, package_folder
from seq2seq_core.stage_history.kept_code import find_source
from seq2seq_core.stage_history.setting_changes import SettingChange, compare_values
from seq2seq_core.stage_history.stage_reason import StageReason

WORDS = {"rule": "cleaning rule", "mending": "mending rule", "metric": "metric", "attention": "attention", "schedule": "schedule"}
"""What a module of a package of parts is, by the prefix of its features."""
UNKNOWN = StageReason("code", "its code has changed (the earlier digests are not kept here, so that no function can be named)")
MOST_MODULES = 8
LINE_CHARACTERS = 160


def explain_digests(
    before: Mapping[str, Any] | None, after: Mapping[str, Any], told: Sequence[SettingChange], paths: Paths
) -> list[StageReason]:
    """What differs between the digests of a stage, but for the settings that ``params.yaml`` explains.

    Args:
        before: the digests that the stage ran with; None: they are not known.
        after: the present ones.
        told: changes of ``params.yaml``.
        paths: the workspace, which keeps earlier texts.
    """
    if before is None:
        return [] if told else [UNKNOWN]
    found = [*_defaults(before, after, told), *_outside_inputs(before, after)]
    if before.get("function") != after.get("function"):
        found.append(StageReason("code", f"its function is {after.get('function')} (was {before.get('function')})"))
    old, new = _modules(before), _modules(after)
    changed = [module for module in new if module in old and old[module] != new[module]]
    reasons = [reason for module in changed[:MOST_MODULES] for reason in _explain_module(module, old[module], paths)]
    if len(changed) > MOST_MODULES:
        reasons.append(StageReason("code", f"{len(changed) - MOST_MODULES} further modules have changed"))
    if not (reasons or told or found):  # a setting decides which modules are reached; without one these are new
        reasons = [StageReason("code", f"new code: {name_part(module)}") for module in new if module not in old][:MOST_MODULES]
        reasons += [StageReason("code", f"no longer used: {name_part(module)}") for module in old if module not in new][
            :MOST_MODULES
        ]
    return [*found, *reasons]


def _modules(digests: Mapping[str, Any]) -> Mapping[str, str]:
    code = digests.get("code")
    return code if isinstance(code, dict) else {}


def _defaults(before: Mapping[str, Any], after: Mapping[str, Any], told: Sequence[SettingChange]) -> Iterator[StageReason]:
    """Values of settings that differ although ``params.yaml`` does not say so: their defaults have changed."""
    for change in compare_values(before.get("settings", {}), after.get("settings", {})):
        if not any(_is_within(change.name, one.name) or _is_within(one.name, change.name) for one in told):
            yield StageReason("setting", f"the default of {change.name}: {change.before or 'off'} → {change.after or 'off'}")


def _is_within(name: str, other: str) -> bool:
    return name == other or name.startswith(f"{other}.")


def _outside_inputs(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[StageReason]:
    """Models that the stage reads, which DVC does not see."""
    for change in compare_values(before.get("outside_inputs", {}), after.get("outside_inputs", {})):
        old, new = (text[:8] or "none" for text in (change.before, change.after))
        yield StageReason("model", f"{change.name}: another model than before ({old} → {new})")


def _explain_module(module: str, digest: str, paths: Paths) -> list[StageReason]:
    """The definitions of a module that have changed."""
    file = find_module(module)
    before = find_source(module, digest, paths)
    if file is None or before is None:
        return [StageReason("code", f"{name_part(module)} has changed (its earlier text is not kept here)")]
    place = file.relative_to(package_folder().parent).as_posix()
    after = file.read_text(encoding="utf-8")
    changes = compare_definitions(before, after, has_settings(module)) or compare_definitions(before, after)
    if behaviour := [change for change in changes if change.name != IMPORTS]:
        changes = behaviour
    prefix = f"{_part(module)}: " if _part(module) else ""
    return [_reason(change, place, prefix) for change in changes] or [StageReason("code", f"{name_part(module)} has changed")]


def _reason(change: DefinitionChange, place: str, prefix: str) -> StageReason:
    if change.kind == "removed":
        return StageReason("code", f"{prefix}{change.name} removed ({place})")
    lines = [f"{mark} {text[:LINE_CHARACTERS]}" for mark, text in (("-", change.before), ("+", change.after)) if text]
    return StageReason("code", f"{prefix}{change.name} {change.kind} ({place}:{change.line})", tuple(lines))


def name_part(module: str) -> str:
    """A module as a reader knows it: ``cleaning rule max_length_ratio (module seq2seq_core…)``, or the module alone.

    Args:
        module: its absolute name.
    """
    part = _part(module)
    return f"{part} (module {module})" if part else f"module {module}"


def _part(module: str) -> str:
    package, _, name = module.rpartition(".")
    return f"{WORDS[PARTS[package]]} {name}" if package in PARTS else ""
