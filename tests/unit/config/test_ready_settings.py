from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.ready_settings import install_settings, load_workspace_settings
from seq2seq_core.config.settings import load_settings, load_values
from seq2seq_core.errors import ConfigError, UserError

READY = """# A comment that stays.
corpus:
  path: data/raw/x  # where
  files:
    train: [train.tsv]
    test: [[test.en, test.de]]
register:
  model_name: x
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Paths:
    root = tmp_path / "workspace"
    root.mkdir()
    (root / "ready.yaml").write_text(READY, encoding="utf-8")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for name in ("train.tsv", "test.en", "test.de"):
        (corpus / name).write_text("a\tb\n", encoding="utf-8")
    return Paths(root)


def _install(workspace: Paths, corpus: Path | None, force: bool = False) -> None:
    install_settings(workspace.root / "ready.yaml", workspace, corpus_folder=corpus, model_name="mine", force=force)


def test_the_corpus_and_the_name_take_their_place_and_comments_stay(workspace: Paths) -> None:
    _install(workspace, workspace.root.parent / "corpus")
    text = workspace.params.read_text(encoding="utf-8")
    assert "# A comment that stays." in text
    assert "# where" in text
    settings = load_settings(workspace.params)
    assert settings.corpus.path == str(workspace.root.parent / "corpus")
    assert settings.register_.model_name == "mine"


def test_a_corpus_inside_the_workspace_is_named_relative_to_it(workspace: Paths) -> None:
    inside = workspace.root / "data" / "raw" / "mine"
    inside.parent.mkdir(parents=True)
    (workspace.root.parent / "corpus").rename(inside)
    _install(workspace, inside)
    assert load_settings(workspace.params).corpus.path == "data/raw/mine"


def test_files_that_the_settings_name_must_be_there(workspace: Paths) -> None:
    corpus = workspace.root.parent / "corpus"
    (corpus / "test.de").unlink()
    with pytest.raises(UserError) as caught:
        _install(workspace, corpus)
    assert str(caught.value) == f"{corpus}: expected test.de (corpus.files in the settings), found test.en, train.tsv"
    with pytest.raises(UserError) as missing:
        _install(workspace, corpus / "no")
    assert str(missing.value) == f"{corpus / 'no'}: no such folder; name the corpus with --corpus FOLDER"
    assert not workspace.params.exists()


def test_uncommitted_parameters_are_not_overwritten(workspace: Paths) -> None:
    corpus = workspace.root.parent / "corpus"
    git = ["git", "-C", str(workspace.root), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    workspace.params.write_text("# old\n", encoding="utf-8")
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "start"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    _install(workspace, corpus)
    _install(workspace, corpus)  # what this command wrote is nobody's work
    with workspace.params.open("a", encoding="utf-8") as file:
        file.write("# mine\n")
    with pytest.raises(UserError) as caught:
        _install(workspace, corpus)
    assert str(caught.value) == (
        f"{workspace.params}: has changes that git does not have; commit them, or overwrite them with --force"
    )
    _install(workspace, corpus, force=True)


def test_a_faulty_file_is_refused(workspace: Paths) -> None:
    (workspace.root / "ready.yaml").write_text("corpus: {}\nregister: {model_name: x}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        _install(workspace, None)
    assert "corpus.path: must be given, got nothing" in caught.value.faults
    (workspace.root / "ready.yaml").write_text("corpus: [\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="not valid YAML: line 2"):
        _install(workspace, None)


GRAPH = "stages:\n  one: {cmd: x, params: [corpus, validate]}\n  two: {cmd: x, params: [register, evaluate.beam_size]}\n"


def test_sections_that_the_graph_reads_are_written_where_the_file_leaves_them_out(workspace: Paths) -> None:
    (workspace.root / "dvc.yaml").write_text(GRAPH, encoding="utf-8")
    _install(workspace, workspace.root.parent / "corpus")
    assert load_values(workspace.params).keys() == {"corpus", "register", "validate", "evaluate"}
    load_workspace_settings(workspace)


def test_a_section_that_the_graph_reads_and_the_file_lacks_is_a_fault(workspace: Paths) -> None:
    (workspace.root / "dvc.yaml").write_text(GRAPH, encoding="utf-8")
    workspace.params.write_text(READY, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_workspace_settings(workspace)
    assert [line.strip() for line in str(caught.value).splitlines()[1:]] == [
        f"{section}: must be there, because dvc.yaml reads it ({{}} takes every default), got nothing"
        for section in ("validate", "evaluate")
    ]
