"""From a version back to its bytes: lineage, the difference of two versions, and a reproduction."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from seq2seq_core.registry.versions import find_number
from seq2seq_core.serving.model_header import MODEL_HEADER, NamedModel
from tests.pipeline.conftest import Workspace, executed_stages

pytestmark = pytest.mark.long
TRAIN = "data/raw/digits/train.tsv"


def versions_tag(workspace: Workspace, number: str, tag: str) -> str | None:
    found = find_number(workspace.store, "digits", number)
    assert found is not None
    value = found.tags.get(tag)
    return None if value is None else str(value)


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def interrupt_reproduction(workspace: Workspace) -> None:
    """Presses Ctrl-C while a stage runs: the exit code says so, and neither files nor processes are left."""
    room = workspace.root / ".s2s" / "reproduction"
    command = ["s2s", "reproduce", "2"]
    with subprocess.Popen(command, cwd=workspace.root, env=workspace.environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("Running stage 'validate'" in line for line in process.stderr)
        assert room.is_dir()
        process.send_signal(signal.SIGINT)
        process.stderr.read()
    assert process.returncode == 130
    assert not room.exists()
    assert [one for one in psutil.process_iter(["cwd"]) if str(one.info["cwd"] or "").startswith(str(room))] == []


def test_a_version_leads_to_its_bytes_and_a_dirty_one_is_made_again_from_them(reproduced_workspace: Workspace) -> None:
    workspace, train = reproduced_workspace, reproduced_workspace.root / TRAIN
    digest = json.loads((workspace.root / "reports" / "registration.json").read_text())["bundle_digest"]

    # From the header of an answer to the digests of the corpus.
    header = f"{MODEL_HEADER}: {NamedModel('digits', '1', digest).to_header()}"
    first = json.loads(workspace.call("lineage", header, "--json").stdout)
    assert first["corpus"]["files"]["train.tsv"]["sha256"] == sha256(train)
    assert first["corpus"]["files"]["train.tsv"]["rows"] == 301
    assert first["code"]["commit"] == workspace.must("git", "rev-parse", "HEAD").strip()
    assert (first["code"]["is_dirty"], first["machine"]["of"]) == (False, "train")
    assert [(entry["kind"], entry["version"]) for entry in first["decisions"]] == [("promoted", "1")]
    assert set(first["stages"]) == {"code", "validate", "prepare", "tokenize", "train", "export", "evaluate"}

    told = [json.loads(line) for line in (workspace.root / ".s2s" / "openlineage.jsonl").read_text().splitlines()]
    stages = ("validate", "prepare", "tokenize", "train", "export", "evaluate", "register")
    assert [(event["job"]["name"], event["eventType"]) for event in told] == [
        (f"digits.{stage}", kind) for stage in stages for kind in ("START", "COMPLETE")
    ]
    assert len({event["run"]["facets"]["parent"]["run"]["runId"] for event in told}) == 1

    # A second version, of a changed corpus and of settings and code that are in no commit.
    rows = train.read_text(encoding="utf-8").splitlines()
    rows[10] = rows[10].replace(",", ";")
    train.write_text("\n".join([*rows, "999\t9,9,9\todd"]) + "\n", encoding="utf-8")
    workspace.change("train", max_steps=13)
    module = workspace.root / "seq2seq_core" / "bundle" / "served_bundle.py"
    module.write_text(module.read_text(encoding="utf-8") + "\nOF_NO_COMMIT = 1\n", encoding="utf-8")
    workspace.must("dvc", "repro")
    shown = workspace.call("lineage", "1", "2").stdout
    assert "train.max_steps: 12 → 13" in shown
    assert "added train.tsv:302  999 ⇥ 9,9,9 ⇥ odd" in shown
    assert "changed train.tsv:11 (was line 11)" in shown
    assert "seq2seq_core.bundle.served_bundle" in shown

    interrupt_reproduction(workspace)
    output = workspace.must("s2s", "reproduce", "2")
    assert executed_stages(output) == ["code", "validate", "prepare", "tokenize", "train", "export"]
    assert "version 2 of digits is reproduced: the weights are bit-equal, on the same kind of machine\n" in output
    assert (versions_tag(workspace, "2", "reproduced") or "").startswith("bit-equal, ")
    assert not (workspace.root / ".s2s" / "reproduction").exists()
    assert "reproduction" not in workspace.must("git", "worktree", "list")

    # One byte of the corpus is another.
    content = bytearray(train.read_bytes())
    content[-2] ^= 1
    train.write_bytes(content)
    refused = workspace.call("reproduce", "2")
    assert refused.exit_code == 2
    assert f"{TRAIN}: has changed since version 2 of digits was registered" in refused.stderr
    assert not (workspace.root / ".s2s" / "reproduction").exists()
