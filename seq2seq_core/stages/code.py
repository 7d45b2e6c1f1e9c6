"""``code``: digests of the code that each other stage reaches; DVC compares these instead of source files."""

from __future__ import annotations

import json

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.code_digests.stage_digest import digest_stage
from seq2seq_core.config.settings import Settings
from seq2seq_core.recorder import Recorder
from seq2seq_core.stage_table import STAGES

NAME = "code"


def run_code(settings: Settings, paths: Paths, recorder: Recorder) -> None:
    """Writes ``reports/code/<stage>.json``: the same bytes for the same settings and the same meaning of the code.

    Args:
        settings: all sections but ``runtime``.
        paths: the workspace; writes ``reports/code``. Inputs of stages that DVC does not see are looked up from it.
        recorder: not used; a model's runs record the git commit instead.

    Raises:
        UserError, BundleError, TrackingUnreachable: an input that DVC does not see cannot be found.
    """
    with atomic.new_folder(paths.code_digests) as draft:
        for stage in STAGES:
            if stage.name != NAME:
                outside = stage.load_outside_inputs()
                inputs = {} if outside is None else dict(outside(settings, paths))
                found = digest_stage(stage, settings) | ({"outside_inputs": inputs} if inputs else {})
                content = json.dumps(found, indent=1, ensure_ascii=False)
                (draft / f"{stage.name}.json").write_text(content + "\n", encoding="utf-8")
