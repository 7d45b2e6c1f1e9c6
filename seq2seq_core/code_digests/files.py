"""``reports/code/<stage>.json``: what DVC compares in place of source files, made by ``s2s code-digests``."""

from __future__ import annotations

import json
from collections.abc import Sequence

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.code_digests.features import features_in_use
from seq2seq_core.code_digests.reach import digest_reached_code
from seq2seq_core.code_digests.settings_values import settings_modules, values_in_use
from seq2seq_core.config.section import Section
from seq2seq_core.config.settings import Settings

SECTIONS = {
    "validate": ("corpus", "validate"),
    "prepare": ("corpus", "prepare"),
    "tokenize": ("tokenize",),
    "train": ("model", "train"),
    "evaluate": ("evaluate",),
    "register": ("evaluate", "register"),
}


def stage_digest(stage: str, sections: Sequence[str], settings: Settings) -> dict[str, object]:
    """What a stage's outputs depend on beside its data: the values of its settings, and the code that it reaches with them.

    Args:
        stage: its name, which is that of its module in ``stages/``.
        sections: of the settings that it reads.
        settings: of the workspace.
    """
    values = {name: values_in_use(section.model_dump(mode="json")) for name, section in _sections(settings, sections).items()}
    code = digest_reached_code(stage_roots(stage, sections, settings), features_in_use(settings, sections))
    return {"settings": values, "code": code}


def stage_roots(stage: str, sections: Sequence[str], settings: Settings) -> list[str]:
    """The modules from which all code of a stage is reached: its own, and those of its settings, whose methods it calls.

    Args:
        stage: its name.
        sections: of the settings that it reads.
        settings: of the workspace.
    """
    return [f"seq2seq_core.stages.{stage}", *settings_modules(*_sections(settings, sections).values())]


def write_code_digests(settings: Settings, paths: Paths) -> None:
    """Writes a file for each stage; the same bytes for the same settings and the same meaning of the code.

    Args:
        settings: of the workspace.
        paths: the workspace.
    """
    with atomic.new_folder(paths.code_digests) as draft:
        for stage, names in SECTIONS.items():
            content = json.dumps(stage_digest(stage, names, settings), indent=1, sort_keys=True, ensure_ascii=False)
            (draft / f"{stage}.json").write_text(content + "\n", encoding="utf-8")


def _sections(settings: Settings, names: Sequence[str]) -> dict[str, Section]:
    """Sections of the settings, by the names that the file has for them."""
    return {name: getattr(settings, name if name in Settings.model_fields else f"{name}_") for name in names}
