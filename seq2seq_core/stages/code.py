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
        paths: the workspace; writes ``reports/code``.
        recorder: not used; a model's runs record the git commit instead.
    """
    with atomic.new_folder(paths.code_digests) as draft:
        for stage in STAGES:
            if stage.name != NAME:
                content = json.dumps(digest_stage(stage, settings), indent=1, ensure_ascii=False)
                (draft / f"{stage.name}.json").write_text(content + "\n", encoding="utf-8")
