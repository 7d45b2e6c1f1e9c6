"""``s2s init`` makes a workspace without code, and ``s2s upgrade`` brings its files to another version without losing an edit."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from flows.workspaces import workspace_record, workspace_upgrade
from flows.workspaces.workspace_files import MANAGED, managed_files
from flows.workspaces.workspace_record import RECORD_FILE, write_record
from seq2seq_core import __version__
from seq2seq_core.cli.main import app
from seq2seq_core.config.settings import load_settings

ROOT = Path(__file__).resolve().parents[3]
NEWER = "99.0.0"


def _s2s(*words: str, asked: str | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=asked)


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _commit(folder: Path) -> None:
    _git(folder, "add", "-A")
    _git(folder, "commit", "-q", "-m", "all")


def test_a_new_workspace_has_the_graph_and_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "my dates #1"
    folder.mkdir()
    (folder / ".gitignore").write_text("/notes\n/.s2s/")
    made = _s2s("init", str(folder))
    assert (made.exit_code, made.stderr) == (0, "")
    assert f"Next: cd '{folder}' && git add" in made.stdout
    assert not list(folder.rglob("*.py"))
    graph, of_the_repository = (yaml.safe_load((root / "dvc.yaml").read_text())["stages"] for root in (folder, ROOT))
    assert graph["code"].pop("deps") == ["requirements.txt"]
    assert of_the_repository["code"].pop("deps") == ["seq2seq_core"]
    assert graph == of_the_repository
    assert load_settings(folder / "params.yaml") == load_settings(ROOT / "configs/dates.yaml")
    assert (folder / "params.yaml").read_text().startswith("# Settings of the pipeline, one section per stage.")
    assert f"seq2seq-flows[pipeline]=={__version__}" in (folder / "requirements.txt").read_text().splitlines()
    for deployment in yaml.safe_load((folder / "prefect.yaml").read_text())["deployments"]:
        module, _, name = deployment["entrypoint"].rpartition(".")
        spec = importlib.util.find_spec(module)
        assert spec is not None
        assert f"\ndef {name}(" in Path(str(spec.origin)).read_text()
    ignored = (folder / ".gitignore").read_text().splitlines()
    assert ignored[:2] == ["/notes", "/.s2s/"]
    assert ignored.count("/.s2s/") == 1
    assert "/mlflow.db*" in ignored
    _commit(folder)
    assert _git(folder, "status", "--porcelain") == ""
    assert {"data/raw/.gitkeep", ".dvc/config", RECORD_FILE} <= set(_git(folder, "ls-files").splitlines())

    again = _s2s("init", str(folder))
    assert again.stderr == f"error: {folder}: is a workspace already; `s2s upgrade` brings its files to the installed version\n"
    assert _git(folder, "status", "--porcelain") == ""
    # A ready file comes with the package, wherever the command is typed.
    monkeypatch.chdir(folder)
    assert _s2s("check-settings", "--workspace", str(folder)).exit_code == 0
    assert "configs/g2p.yaml" in _s2s("configure", "configs/g3p.yaml").stderr
    (folder / "data" / "raw" / "mine").mkdir()
    corpus = folder / "data" / "raw" / "mine"
    for split in ("train", "dev", "test"):
        (corpus / f"{split}.tsv").write_text("".join(f"word{number}\tw o r d {number}\n" for number in range(20)))
    assert _s2s("configure", "configs/g2p.yaml", "--corpus", "data/raw/mine", "--name", "mine").exit_code == 0
    assert load_settings(folder / "params.yaml").register_.model_name == "mine"


def test_a_file_in_the_way_stops_init_before_it_writes(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("mine")
    made = _s2s("init", str(tmp_path))
    expected = f"error: {tmp_path}: has params.yaml already; expected a folder without the files of a workspace\n"
    assert (made.exit_code, made.stderr) == (2, expected)
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A committed workspace of this version, without DVC."""
    files = managed_files()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    write_record(tmp_path, files)
    _git(tmp_path, "init", "-q")
    _commit(tmp_path)
    return tmp_path


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """Installs a newer version, whose files differ by replaced texts."""

    def replace_version(**edits: tuple[str, str]) -> dict[str, str]:
        files = managed_files()
        for name, (old, new) in {"requirements.txt": (f"=={__version__}", f"=={NEWER}"), **edits}.items():
            assert old in files[name]
            files[name] = files[name].replace(old, new)
        for module in (workspace_record, workspace_upgrade, importlib.import_module("seq2seq_core.cli.setup.workspace_commands")):
            monkeypatch.setattr(module, "__version__", NEWER)
        monkeypatch.setattr(workspace_upgrade, "managed_files", lambda: files)
        return files

    return replace_version


def test_an_upgrade_keeps_own_edits_and_a_stage_waits_for_it(workspace: Path, install: Callable[..., dict[str, str]]) -> None:
    graph = workspace / "dvc.yaml"
    graph.write_text(graph.read_text().replace("desc: Training of the model", "desc: Our training") + "# ours\n")
    with (workspace / "requirements.txt").open("a") as file:
        file.write("sudachipy\n")
    (workspace / ".dvcignore").unlink()
    _commit(workspace)
    files = install(**{"dvc.yaml": ("desc: Data contracts on the raw corpus", "desc: Contracts"), ".dvcignore": ("*.pyc", "*.pyd")})
    at = ("--workspace", str(workspace))
    refused = _s2s("code-digests", *at)
    assert refused.exit_code == 2
    assert f"belongs to seq2seq-flows {__version__}, and {NEWER} is installed; `s2s upgrade` brings" in refused.stderr
    assert json.loads((workspace / ".s2s/outcomes/code.json").read_text())["retryable"] is False

    before = graph.read_text()
    declined = _s2s("upgrade", *at, asked="n\n")
    assert declined.exit_code == 1
    assert "+    desc: Contracts" in declined.stdout
    assert graph.read_text() == before
    done = _s2s("upgrade", *at, asked="y\n")
    assert (done.exit_code, done.stderr) == (0, "")
    assert ".dvcignore: was deleted here, and stays so" in done.stdout
    assert not (workspace / ".dvcignore").exists()
    expected = files["dvc.yaml"].replace("desc: Training of the model", "desc: Our training") + "# ours\n"
    assert graph.read_text() == expected
    pins = [line for line in (workspace / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert pins == [f"seq2seq-flows[pipeline]=={NEWER}", "sudachipy"]
    changed = {line[3:] for line in _git(workspace, "status", "--porcelain").splitlines()}
    assert changed == {"dvc.yaml", "requirements.txt", RECORD_FILE}
    _commit(workspace)
    assert "already" in _s2s("upgrade", *at).stdout
    workspace_record.check_version(workspace)


def test_changes_in_no_commit_refuse_an_upgrade_and_a_conflict_is_marked(
    workspace: Path, install: Callable[..., dict[str, str]]
) -> None:
    deployments, at = workspace / "prefect.yaml", ("--workspace", str(workspace), "--yes")
    deployments.write_text(deployments.read_text().replace('cron: "0 3 * * *"', 'cron: "0 5 * * *"'))
    install(**{"prefect.yaml": ('cron: "0 3 * * *"', 'cron: "0 4 * * *"')})
    refused = _s2s("upgrade", *at)
    assert refused.exit_code == 2
    assert "has changes that are in no commit: prefect.yaml; commit them first" in refused.stderr
    _commit(workspace)
    marked = _s2s("upgrade", *at)
    assert marked.exit_code == 2
    assert marked.stderr.startswith(f"error: prefect.yaml: changed here and by {NEWER} in the same lines")
    both = r'<{7} this workspace\n.*"0 5 .*\n={7}\n.*"0 4 .*\n>{7} seq2seq-flows 99'
    assert re.search(both, deployments.read_text())
    assert f"=={NEWER}" in (workspace / "requirements.txt").read_text()


def test_a_clone_is_told_that_git_brings_a_new_version(workspace: Path) -> None:
    (workspace / RECORD_FILE).unlink()
    _commit(workspace)
    assert "In a clone, `git merge` brings a new version" in _s2s("upgrade", "--workspace", str(workspace)).stderr
    workspace_record.check_version(workspace)


def test_a_damaged_record_is_named(workspace: Path) -> None:
    (workspace / RECORD_FILE).write_text('{"version": "1"}')
    assert f"error: {workspace / RECORD_FILE}: is damaged" in _s2s("upgrade", "--workspace", str(workspace)).stderr
    assert set(managed_files()) == set(MANAGED)


def test_an_upgrade_names_what_it_lacks_or_what_is_in_no_commit(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    at = ("--workspace", str(workspace))
    (workspace / "Wörter.txt").write_text("mine")
    (workspace / "Wörter 2.txt").write_text("mine")
    listed = 'has changes that are in no commit: "Wörter 2.txt", Wörter.txt; commit them first'
    assert listed in _s2s("upgrade", *at).stderr
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    refused = _s2s("upgrade", *at)
    assert refused.stderr == "error: git is not installed; expected it, because every model names the commit that it came from\n"
