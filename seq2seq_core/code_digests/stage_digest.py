"""The settings and code that the outputs of a stage depend on."""

from __future__ import annotations

from seq2seq_core.code_digests.features import features_in_use
from seq2seq_core.code_digests.reach import digest_reached_code
from seq2seq_core.code_digests.settings_values import settings_modules, values_in_use
from seq2seq_core.config.settings import Settings
from seq2seq_core.stage_table import Stage


def digest_stage(stage: Stage, settings: Settings) -> dict[str, object]:
    """The values of a stage's settings, and a digest of each module that it reaches with them.

    Args:
        stage: from the table.
        settings: all settings of the workspace.
    """
    values = {name: values_in_use(settings.section_named(name)) for name in stage.sections}
    code = digest_reached_code(stage_roots(stage, settings), features_in_use(settings, stage.sections))
    return {"function": stage.function_place, "settings": values, "code": code}


def stage_roots(stage: Stage, settings: Settings) -> list[str]:
    """The modules from which all code of a stage is reached: its own, and those of its settings, whose methods it calls.

    Args:
        stage: from the table.
        settings: all settings of the workspace.
    """
    return [stage.function_place.partition(":")[0], *settings_modules(*map(settings.section_named, stage.sections))]
