from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flows.dvc.command import Dvc
from flows.dvc.publish import push_data
from flows.dvc.refresh import TrackedData, describe_changes, read_tracked, refresh_data, transfer_error
from flows.processes.supervised import CommandResult, StopPolicy
from seq2seq_core.config.runtime import RefreshSettings
from seq2seq_core.errors import EnvironmentFault, Interrupted, UserError
from tests.flows.conftest import ToyWorkspace

Make = Callable[..., ToyWorkspace]
SOURCE = "data/raw/toy.dvc"


def refresh(workspace: ToyWorkspace, mode: str, sources: tuple[str, ...] = (SOURCE,)) -> list[str]:
    settings = RefreshSettings.model_validate({"mode": mode})
    return refresh_data(Dvc(workspace.root), settings, sources, lambda line: None, StopPolicy())


def test_data_comes_from_the_remote_and_imports_are_brought_up_to_date(make_workspace: Make, tmp_path: Path) -> None:
    workspace = make_workspace({"prepare": ()})
    assert refresh(workspace, "none") == []
    with pytest.raises(UserError, match=r"^dvc push: .*no remote specified"):
        push_data(Dvc(workspace.root), lambda line: None, StopPolicy())

    workspace.run("dvc", "remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    assert push_data(Dvc(workspace.root), lambda line: None, StopPolicy()) == "dvc push: 2 files pushed"
    upstream = tmp_path / "upstream.tsv"
    upstream.write_text("source\ttarget\na\tb\n")
    workspace.run("dvc", "import-url", "-q", str(upstream), "data/raw/upstream.tsv")
    (workspace.root / "data" / "raw" / "toy" / "train.tsv").unlink()
    upstream.write_text("source\ttarget\na\tb\nc\td\n")

    sources = (SOURCE, "data/raw/upstream.tsv.dvc")
    before = read_tracked(workspace.root, sources)
    lines = refresh(workspace, "update", sources)
    after = read_tracked(workspace.root, sources)
    assert lines == [
        f"{SOURCE}: unchanged ({before[SOURCE].describe()})",
        f"{sources[1]}: changed from {before[sources[1]].describe()} to {after[sources[1]].describe()}",
    ]
    assert (before[SOURCE].is_import, before[sources[1]].is_import) == (False, True)
    assert (workspace.root / "data" / "raw" / "toy" / "train.tsv").is_file()
    assert (workspace.root / "data" / "raw" / "upstream.tsv").read_text() == upstream.read_text()


def test_changes_are_told_in_files_and_bytes() -> None:
    before = {"a.dvc": TrackedData("0123456789ab", 12_345, 3, True), "b.dvc": TrackedData("ffff", 1, None, False)}
    after = {"a.dvc": TrackedData("abcdef012345", 23_456, 4, True), "b.dvc": TrackedData("ffff", 1, None, False)}
    assert describe_changes(before, after) == [
        "a.dvc: changed from 3 files, 12,345 bytes, 01234567 to 4 files, 23,456 bytes, abcdef01",
        "b.dvc: unchanged (1 bytes, ffff)",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "x.dvc: no such file; expected a .dvc file (runtime.flow.refresh.targets)"),
        ("outs: []\n", "x.dvc: not a .dvc file (IndexError: list index out of range)"),
        ("text", "x.dvc: not a .dvc file (TypeError: string indices must be integers, not 'str')"),
    ],
)
def test_what_is_no_dvc_file_is_named(text: str | None, message: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "x.dvc").write_text(text)
    with pytest.raises(UserError) as caught:
        read_tracked(tmp_path, ["x.dvc"])
    assert str(caught.value) == message


def test_a_graph_without_tracked_data_has_nothing_to_refresh(tmp_path: Path) -> None:
    settings = RefreshSettings(mode="pull")
    lines = refresh_data(Dvc(tmp_path), settings, (), lambda line: None, StopPolicy())
    assert lines == ["nothing to refresh: no stage reads data that DVC tracks"]


def test_a_remote_that_does_not_answer_is_no_fault_of_the_user() -> None:
    result = CommandResult(255, ("ERROR: failed to connect to s3 (store/files/md5)",), 1.0, "itself")
    away = transfer_error(["pull"], result)
    assert isinstance(away, EnvironmentFault)
    assert str(away) == "dvc pull: failed to connect to s3 (store/files/md5)"
    assert isinstance(transfer_error(["pull"], CommandResult(143, (), 1.0, "cancellation")), Interrupted)
