"""The output folder after a kill at any point, and one that came from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.bulk import bulk_run, output_folder
from seq2seq_core.bulk.job_manifest import LOCK_NAME, MANIFEST_NAME, Manifest
from seq2seq_core.errors import UserError

from .conftest import Run


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("ab\ncd\nef\n")
    (folder / "sub" / "b.txt").write_text("gh\n")
    return folder


def names_of(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.name != LOCK_NAME)


NEW = [MANIFEST_NAME, "a-00000.jsonl", "sub/b-00000.jsonl"]


def test_a_draft_that_a_kill_left_is_no_file_of_another(tmp_path: Path, texts: Path, run_mirrored: Run) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / f".{MANIFEST_NAME}.draft").write_text("{")
    run_mirrored(texts)
    assert names_of(out) == NEW


@pytest.mark.parametrize("place", ["workers", "first write", "second delete", "last write"])
def test_a_restart_that_was_stopped_can_be_followed_by_the_same_and_by_another(
    tmp_path: Path, texts: Path, run_mirrored: Run, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    out = tmp_path / "out"
    run_mirrored(texts, shard_rows=1)
    (out / "sub" / ".b-00000.jsonl.draft").write_text("half")
    for name in ("notes.txt", "a-00003.jsonl", "c-00000.jsonl"):
        (out / name).write_text("of the user")
    calls: list[Any] = []
    write, unlink = Manifest.write, Path.unlink

    def stop_write(manifest: Manifest, folder: Path) -> None:
        calls.append(manifest)
        if len(calls) == {"first write": 1, "last write": 2}.get(place):
            raise KeyboardInterrupt
        write(manifest, folder)

    def stop_unlink(path: Path, missing_ok: bool = False) -> None:
        unlink(path, missing_ok)
        if path.name == "a-00001.jsonl" and place == "second delete":
            raise KeyboardInterrupt

    def stop_workers(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Manifest, "write", stop_write)
        patched.setattr(Path, "unlink", stop_unlink)
        if place == "workers":
            patched.setattr(bulk_run, "_start_workers", stop_workers)
        with pytest.raises(KeyboardInterrupt):
            run_mirrored(texts, shard_rows=2, restarts=True)
    kept = ["a-00003.jsonl", "c-00000.jsonl", "notes.txt"]
    if place in ("workers", "first write"):
        assert run_mirrored(texts, shard_rows=1).num_decoded == 0, "the earlier job is still whole"
    else:
        run_mirrored(texts, shard_rows=2)
        assert names_of(out) == sorted([*NEW, "a-00001.jsonl", *kept])
    run_mirrored(texts, restarts=True)
    assert names_of(out) == sorted([*NEW, *kept])


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b'{"format": 1}', b"[" * 9999])
def test_a_damaged_manifest_is_replaced_by_a_restart_that_deletes_nothing(
    tmp_path: Path, texts: Path, run_mirrored: Run, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out"
    run_mirrored(texts, shard_rows=1)
    (out / MANIFEST_NAME).write_bytes(content)
    with pytest.raises(UserError, match=r"_s2s_job\.json: cannot be read \(.*or --restart to begin anew beside the files"):
        run_mirrored(texts)
    run_mirrored(texts, restarts=True)
    assert names_of(out) == sorted([*NEW, "a-00001.jsonl", "a-00002.jsonl"])
    assert "the new job deletes no file, as none can be told to be an earlier job's" in caplog.text


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            lambda kept: kept["job"]["inputs"][0].update(name="../precious.txt"),
            "inputs.0.name: .*must be the name of a file in",
        ),
        (lambda kept: kept["job"]["inputs"][0].update(name="/precious.txt"), "inputs.0.name: .*must be the name of a file in"),
        (lambda kept: kept.update(stale=["sub/../../precious-00000.jsonl"]), "stale.0: .*must be the name of a file in"),
        (
            lambda kept: kept["job"]["inputs"][0].update(output_format="jsonl/../x"),
            "output_format: .*must be one of parquet",
        ),
        (lambda kept: kept["job"].update(shard_rows=0), "job.shard_rows: Input should be greater than 0"),
        (lambda kept: kept["job"]["inputs"][0].update(num_rows=-1), "num_rows: Input should be greater than or equal to 0"),
        (lambda kept: kept.update(format=2), "format: Input should be 1"),
    ],
)
def test_a_manifest_from_elsewhere_deletes_nothing_outside_of_the_folder(
    tmp_path: Path, texts: Path, run_mirrored: Run, change: Any, fault: str
) -> None:
    out, precious = tmp_path / "out", tmp_path / "precious-00000.jsonl"
    run_mirrored(texts)
    precious.touch()
    kept = json.loads((out / MANIFEST_NAME).read_text())
    change(kept)
    (out / MANIFEST_NAME).write_text(json.dumps(kept))
    with pytest.raises(UserError, match=fault):
        run_mirrored(texts)
    run_mirrored(texts, restarts=True)
    assert precious.exists()
    assert names_of(out) == NEW


def test_a_manifest_that_names_more_rows_than_there_are_files_is_restarted_at_once(
    tmp_path: Path, texts: Path, run_mirrored: Run
) -> None:
    out = tmp_path / "out"
    run_mirrored(texts)
    kept = json.loads((out / MANIFEST_NAME).read_text())
    kept["job"]["inputs"][0]["num_rows"] = 10**18
    (out / MANIFEST_NAME).write_text(json.dumps(kept))
    run_mirrored(texts, restarts=True)
    assert names_of(out) == NEW


def test_nothing_is_written_behind_a_symbolic_link(tmp_path: Path, texts: Path, run_mirrored: Run) -> None:
    out, outside, precious = tmp_path / "out", tmp_path / "else", tmp_path / "precious"
    out.mkdir()
    outside.mkdir()
    precious.write_text("a long text")
    (out / LOCK_NAME).symlink_to(precious)
    with pytest.raises(UserError, match=r"\.s2s_job\.lock: is a symbolic link; expected a lock file of its own"):
        run_mirrored(texts)
    (out / LOCK_NAME).unlink()
    (out / "sub").symlink_to(outside)
    with pytest.raises(UserError, match="sub: is a symbolic link; expected a folder, as shards are written nowhere but in"):
        run_mirrored(texts)
    (out / "sub").unlink()
    for name in (f".{MANIFEST_NAME}.draft", "a-00000.jsonl"):
        run_mirrored(texts)
        (out / name).unlink(missing_ok=True)
        (out / name).symlink_to(precious)
        run_mirrored(texts)
    run_mirrored(texts, restarts=True)
    assert (names_of(out), (out / "a-00000.jsonl").is_symlink()) == (NEW, False)
    assert (list(outside.iterdir()), precious.read_text()) == ([], "a long text")


def test_a_folder_that_becomes_a_link_while_a_job_runs_is_not_written_behind(tmp_path: Path) -> None:
    (tmp_path / "else" / "deep").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").symlink_to(tmp_path / "else")
    output_folder.check_no_link(tmp_path / "out", tmp_path / "out")
    with pytest.raises(UserError, match="sub: is a symbolic link"):
        output_folder.check_no_link(tmp_path / "out", tmp_path / "out" / "sub" / "deep")
