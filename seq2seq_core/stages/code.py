"""``code``: digests of the code that each other stage reaches; DVC compares these instead of source files."""

from __future__ import annotations

import json

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.code_digests.stage_digest import digest_stage
from seq2seq_core.config.settings import Settings
from seq2seq_core.recorder import Recorder
from seq2seq_core.stage_history.kept_code import keep_code
from seq2seq_core.stage_table import STAGES, Stage
from seq2seq_core.stages.looking_ahead import check_engine, check_vocoder
from seq2seq_core.tracking.dvc_experiment import find_home

NAME = "code"


def run_code(settings: Settings, paths: Paths, recorder: Recorder) -> None:
    """Writes ``reports/code/<stage>.json``: the same bytes for the same settings and the same meaning of the code.

    Args:
        settings: all sections but ``runtime``.
        paths: the workspace; writes ``reports/code``, and keeps the code under ``.s2s``. Inputs of stages that DVC does not see are
            looked up from it.
        recorder: not used; a model's runs record the git commit instead.

    Raises:
        UserError, BundleError, TrackingUnreachable: an input that DVC does not see cannot be found; a UserError also where a later
            stage would refuse the engine or the vocoder.
    """
    check_engine(settings)
    check_vocoder(settings, paths)
    contents = {stage.name: describe_code(stage, settings, paths) for stage in STAGES if stage.name != NAME}
    with atomic.new_folder(paths.code_digests) as draft:
        for name, content in contents.items():
            (draft / f"{name}.json").write_text(content, encoding="utf-8")
    keep_code(contents.values(), find_home(paths))


def describe_code(stage: Stage, settings: Settings, paths: Paths) -> str:
    """The content of ``reports/code/<stage>.json``.

    Args:
        stage: from the table.
        settings: all sections but ``runtime``.
        paths: the workspace, from which inputs of the stage that DVC does not see are looked up.

    Raises:
        UserError, BundleError, TrackingUnreachable: an input that DVC does not see cannot be found.
    """
    outside = stage.load_outside_inputs()
    inputs = {} if outside is None else dict(outside(settings, paths))
    found = digest_stage(stage, settings) | ({"outside_inputs": inputs} if inputs else {})
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"
