"""Bad input through the command line: a message with place and expectation, exit code 2, nothing half-written."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from seq2seq_core.cli.main import app
from tests.pipeline.conftest import Workspace

HEADER = b"source\ttarget\tparity\n"
PAIR = '{"source": "1", "target": "1", "parity": %s}\n'
BROKEN = {
    "empty.tsv": b"",
    "columns.tsv": b"src\ttgt\tparity\na\tb\tc\n",
    "binary.tsv": HEADER + b"a\tb\todd\n\x00\x01\x02\x00\n",
    "program.tsv": b"\x7fELF\r\x00\r\x00\r",
    "latin.tsv": HEADER + b"a\tb\todd\nsp\xe4t\tb\todd\n",
    "mac.tsv": HEADER.replace(b"\n", b"\r") + b"a\tb\todd\rc\td\todd\r",
    "wide.tsv": HEADER.decode().encode("utf-16"),
    "short.tsv": HEADER + b"a\tb\todd\na\tb\n",
    "deep.jsonl": (PAIR % '"odd"' + PAIR % ("[" * 3000 + "]" * 3000)).encode(),
    "half.jsonl": (PAIR % '"\\ud83d"').encode(),
    "stray.tsv": HEADER + b"a\tb\0c\todd\n",
    "behind.tsv.gz": gzip.compress(HEADER + b"a\tb\todd\n") + b"<html>",
}
FAULTS = {
    "empty.tsv": ("empty",),
    "columns.tsv:1": ("source", "src"),
    "binary.tsv:3": ("binary",),
    "program.tsv:1": ("binary",),
    "latin.tsv:3": ("UTF-8",),
    "mac.tsv": ("CR",),
    "wide.tsv:1": ("byte-order mark of UTF-16LE",),
    "short.tsv:3": ("3", "2"),
    "deep.jsonl:2: nested deeper than 100 levels": (),
    "half.jsonl:1: the text in 'parity' has half of a surrogate pair": (),
    "stray.tsv:2: a stray NUL byte": (),
    "behind.tsv.gz: other bytes follow the end of the gzip data": (),
    "damaged.parquet: not a Parquet file that can be read": (),
}
"""Where each is named, and what else the line says."""


@dataclass(frozen=True)
class Answer:
    """How ``s2s validate`` ended.

    Attributes:
        returncode: its exit code.
        stderr: what it wrote there.
    """

    returncode: int
    stderr: str


@pytest.fixture(autouse=True)
def own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """No MLflow server around the tests reaches a command in this process."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def _run_validate(workspace: Workspace) -> Answer:
    """Runs the command in this process, which spares the start of one; one test below starts it as a person would."""
    result = CliRunner().invoke(app, ["validate", "--workspace", str(workspace.root)])
    return _check(workspace, Answer(result.exit_code, result.stderr))


def _check(workspace: Workspace, answer: Answer) -> Answer:
    assert not (workspace.root / "reports" / "validation.json").exists()
    assert "Traceback" not in answer.stderr
    return answer


def test_a_missing_corpus_file_is_named(make_workspace: Callable[[str], Workspace]) -> None:
    workspace = make_workspace("clone")
    (workspace.root / "data" / "raw" / "digits" / "train.tsv").unlink()
    result = _run_validate(workspace)
    assert result.returncode == 2, result.stderr
    message = result.stderr.split("error: ", maxsplit=1)[1]
    assert all(part in message for part in ("train.tsv", "no such file")), message


def test_every_file_that_no_reader_can_read_is_named_at_once_with_its_line(make_workspace: Callable[[str], Workspace]) -> None:
    workspace = make_workspace("clone")
    folder = workspace.root / "data" / "raw" / "digits"
    for name, content in BROKEN.items():
        (folder / name).write_bytes(content)
    table = pyarrow.table({name: ["1"] * 1000 for name in ("source", "target", "parity")})
    pyarrow.parquet.write_table(table, folder / "damaged.parquet")
    with (folder / "damaged.parquet").open("r+b") as file:
        file.seek(4)
        file.write(bytes(40))
    workspace.change("corpus", files={"train": [*BROKEN, "damaged.parquet"]})
    workspace.change("validate", examples=len(FAULTS))
    done = workspace.run("s2s", "validate")
    result = _check(workspace, Answer(done.returncode, done.stderr))
    assert result.returncode == 2, result.stderr
    for place, faults in FAULTS.items():
        told = [line for line in result.stderr.splitlines() if place in line]
        assert any(all(fault in line for fault in faults) for line in told), (place, result.stderr)


def test_aligned_files_of_unequal_length_are_named_with_both_counts(make_workspace: Callable[[str], Workspace]) -> None:
    workspace = make_workspace("clone")
    folder = workspace.root / "data" / "raw" / "digits"
    (folder / "train.en").write_text("one\ntwo\nthree\n", encoding="utf-8")
    (folder / "train.de").write_text("eins\nzwei\n", encoding="utf-8")
    workspace.change("corpus", files={"train": [["train.en", "train.de"]]})
    result = _run_validate(workspace)
    assert result.returncode == 2, result.stderr
    assert all(part in result.stderr for part in ("train.en", "train.de", "3", "2"))


def test_parameters_with_faults_are_all_listed(make_workspace: Callable[[str], Workspace]) -> None:
    workspace = make_workspace("clone")
    workspace.change("train", max_step=5, learning_rate=-1)
    result = _run_validate(workspace)
    assert result.returncode == 2
    assert "train.max_step: must be a known setting, got an unknown name (value 5)" in result.stderr
    assert "train.learning_rate: must be above 0.0, got -1" in result.stderr


def test_an_unreachable_mlflow_server_is_named(make_workspace: Callable[[str], Workspace], monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = make_workspace("clone")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    workspace.change("runtime", tracking_wait_seconds=0.0)
    result = _run_validate(workspace)
    assert result.returncode == 2, result.stderr
    assert "http://127.0.0.1:9" in result.stderr


def test_a_missing_permission_is_named(make_workspace: Callable[[str], Workspace]) -> None:
    workspace = make_workspace("clone")
    reports = workspace.root / "reports"
    reports.mkdir()
    reports.chmod(0o500)
    # Root may write everywhere, unless it gives that right up.
    as_others = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    if as_others and shutil.which(as_others[0]) is None:
        pytest.skip("root may write everywhere, and there is no setpriv (util-linux) here")
    result = workspace.run(*as_others, "s2s", "validate")
    assert result.returncode == 2, result.stderr
    assert f"{reports / 'validation.json'}: permission denied" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_full_disk_is_named(make_workspace: Callable[[str], Workspace]) -> None:
    workspace = make_workspace("clone")
    reports = workspace.root / "reports"
    reports.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(reports)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    try:
        (reports / "filler").write_bytes(b"x" * 4096)
        result = _run_validate(workspace)
        assert result.returncode == 2, result.stderr
        assert f"{reports / 'validation.json'}: the disk is full" in result.stderr
        assert [entry.name for entry in reports.iterdir()] == ["filler"]
    finally:
        subprocess.run(["umount", str(reports)], check=True)


def test_outside_a_workspace_the_command_says_where_to_go(tmp_path: Path) -> None:
    result = subprocess.run(
        [Path(sys.executable).parent / "s2s", "train"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert result.stderr == (
        f"error: {tmp_path}: no dvc.yaml here or above; go into a workspace, name one with --workspace, or make one by `s2s init`\n"
    )
