"""A student by the one graph: its teacher's decoding is killed, goes on, is kept, and done anew only for another teacher."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.bundle.config_file import read_config
from seq2seq_core.corpus.pairs import iterate_pairs
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.tokenization.manifest import Manifest
from tests.flows.waiting import wait_until
from tests.pipeline.conftest import Workspace, executed_stages

pytestmark = pytest.mark.long

TEACHER = {"max_steps": 120, "batch_tokens": 1024, "validate_every_steps": 60, "learning_rate": 0.01, "warmup_steps": 10}
SLOW = {
    "distillation/teacher_decoding.py": ("SHARD_ROWS = 2_000", "SHARD_ROWS = 20"),
    "bulk/decoded_shards.py": ("        results = [", "        time.sleep(0.25)\n        results = ["),
}
"""Small shards that take a while, so that a kill meets some finished and some not."""


def make_teacher(workspace: Workspace) -> Path:
    """A model that has learned something, in ``data/teacher``."""
    workspace.change("train", **TEACHER)
    workspace.must("s2s", "train")
    folder = workspace.root / "data" / "teacher"
    shutil.copytree(Paths(workspace.root).bundle, folder)
    return folder


def kill_while_the_teacher_decodes(workspace: Workspace) -> dict[str, int]:
    """Kills ``s2s prepare`` under ``dvc repro``; the finished shards with their times of change."""
    shards = Paths(workspace.root).distillation / "shards"
    log, command = (workspace.root / ".s2s" / "killed.log").open("wb"), ["dvc", "repro", "prepare"]
    process = subprocess.Popen(command, cwd=workspace.root, env=workspace.environment, stdout=log, stderr=log)
    log.close()
    wait_until(lambda: len(list(shards.glob("sources-*.jsonl"))) >= 2 or process.poll() is not None, "two shards")
    stages = [one for one in psutil.Process(process.pid).children(recursive=True) if "prepare" in one.cmdline()]
    assert stages, "the stage ended before it could be killed"
    stages[0].kill()
    assert process.wait() != 0
    return {path.name: path.stat().st_mtime_ns for path in shards.glob("sources-*.jsonl")}


@pytest.fixture
def one_core() -> Iterator[None]:
    """One core, and so one worker."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    yield
    os.sched_setaffinity(0, cores)


@pytest.mark.usefixtures("one_core")
def test_a_student_learns_from_its_teacher_by_two_lines_of_settings(reproduced_workspace: Workspace) -> None:
    workspace, paths = reproduced_workspace, Paths(reproduced_workspace.root)
    folder = make_teacher(workspace)
    for name, (old, new) in SLOW.items():
        file = workspace.root / "seq2seq_core" / name
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, name
        file.write_text(text.replace(old, new), encoding="utf-8")
    real = list(iterate_pairs(paths.prepared_split("train")))
    workspace.change("prepare", distill={"teacher": "data/teacher", "real_pairs": 0.5, "beam_size": 2})
    workspace.change("register", model_name="student")
    workspace.change("train", max_steps=20, validate_every_steps=10)

    finished = kill_while_the_teacher_decodes(workspace)
    assert 2 <= len(finished) < 15
    output = workspace.must("dvc", "repro", "train")
    assert executed_stages(output) == ["prepare", "tokenize", "train"]
    assert f"going on behind {20 * len(finished)} of 300 rows" in output
    shards = paths.distillation / "shards"
    assert {name: (shards / name).stat().st_mtime_ns for name in finished} == finished, "finished shards are not written again"

    rows = list(iterate_pairs(paths.prepared_split("train")))
    report = json.loads(paths.prepare_report.read_text(encoding="utf-8"))
    kept, taught = rows[: -report["train"]["taught"]], rows[-report["train"]["taught"] :]
    assert 100 < len(kept) < 200
    assert all(pair in real for pair in kept)
    assert len(taught) > 100, "the teacher has learned enough for most of its outputs to be used"
    assert {pair["source"] for pair in taught} <= {pair["source"] for pair in real}
    assert {(pair["source"], pair["parity"]) for pair in taught} <= {(pair["source"], pair["parity"]) for pair in real}
    assert Manifest.load(paths.tokenized).splits["train"].pairs == len(rows)
    assert json.loads(paths.prepared_teacher.read_text()) == {"teacher": "data/teacher", "digest": bundle_digest(folder)}
    assert read_config(paths.bundle).config.model.width == 16

    assert executed_stages(workspace.must("dvc", "repro", "train")) == []
    decoded = [json.loads(line) for path in sorted(shards.glob("*.jsonl")) for line in path.read_text().splitlines()]
    predictor = Predictor.from_folder(folder)
    expected = predictor.predict([row["source"] for row in decoded], predictor.options.override(beam_size=2))
    assert [row["_teacher"] for row in decoded] == [one.text for one in expected], "as if nothing had happened"

    shutil.rmtree(folder)
    shutil.copytree(paths.bundle, folder)
    workspace.must("s2s", "code-digests")
    assert "prepare:" in workspace.must("dvc", "status", "prepare"), "another bundle by the same name is a changed input"
