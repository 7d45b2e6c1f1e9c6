"""``s2s configure`` and ``s2s check-settings``, from a folder of files to a first training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from seq2seq_core.artifacts import Paths
from seq2seq_core.cli.main import app
from seq2seq_core.config.settings import load_settings
from seq2seq_core.config.yaml_text import parse_document, write_document
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train
from seq2seq_core.stages.validate import run_validate
from tests.made_corpora import ENGLISH, GERMAN, make_corpus, sentences, write_lines

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def workspace(tmp_path: Path) -> Paths:
    shutil.copyfile(ROOT / "dvc.yaml", tmp_path / "dvc.yaml")
    return Paths(tmp_path.resolve())


def _s2s(workspace: Paths, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--workspace", str(workspace.root)])


def _shorten(workspace: Paths) -> None:
    """Cuts the training that was proposed to two updates; nothing else changes."""
    document = parse_document(workspace.params.read_text(encoding="utf-8"))
    document["train"] |= {"max_steps": 2, "warmup_steps": 1, "validate_every_steps": 2, "dev_sentences": 2}
    document["runtime"] = {"device": "cpu", "progress": "plain"}
    workspace.params.write_text(write_document(document), encoding="utf-8")


@pytest.mark.parametrize(
    "corpus",
    [
        "semicolons",
        "turns",
        "speech",
        *(pytest.param(name, marks=pytest.mark.proof) for name in ("aligned_alone", "normalisation", "inflection")),
    ],
)
def test_a_folder_of_files_leads_to_a_first_training_without_an_edit(workspace: Paths, corpus: str) -> None:
    folder = make_corpus(corpus, workspace.root / "data" / corpus)
    result = _s2s(workspace, "configure", "--corpus", str(folder))
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith("files: train ")
    assert lines[-1] == "params.yaml is now as proposed; run `s2s retrain` or `dvc repro`"
    _shorten(workspace)
    settings, recorder = load_settings(workspace.params), NullRecorder()
    run_validate(settings, workspace, recorder)
    run_prepare(settings, workspace, recorder)
    assert min(run_tokenize(settings, workspace, recorder).pairs.values()) > 0
    assert run_train(settings, workspace, recorder).steps == 2


def test_check_settings_looks_at_the_corpus_where_it_is_there(workspace: Paths) -> None:
    folder = make_corpus("bars", workspace.root / "data" / "bars")
    assert _s2s(workspace, "configure", "--corpus", str(folder), "--name", "mine").exit_code == 0
    good = _s2s(workspace, "check-settings")
    assert good.output.splitlines() == [
        f"{workspace.params}: all settings are valid",
        "corpus data/bars: the files of train, dev are there, and their first rows can be read",
    ]
    (folder / "validation.txt").unlink()
    bad = _s2s(workspace, "check-settings")
    assert bad.exit_code == 2
    assert "data/bars/validation.txt: no such file (corpus.files.dev)" in bad.stderr
    shutil.rmtree(folder)
    away = _s2s(workspace, "check-settings")
    assert away.exit_code == 0
    assert away.output.splitlines()[1] == "the corpus folder data/bars is not there: its files and columns are not checked"


def test_a_key_that_some_objects_lack_is_a_column(workspace: Paths) -> None:
    folder = workspace.root / "data" / "gaps"
    pairs = zip(sentences(ENGLISH, 400), sentences(GERMAN, 400), strict=True)
    objects = [dict(zip(("en", "de"), pair, strict=True)) for pair in pairs]
    domains = [{"domain": ("news", "talk")[number % 2]} if number % 3 else {} for number in range(400)]
    write_lines(folder / "train.jsonl", (json.dumps(pair | domain) for pair, domain in zip(objects, domains, strict=True)))
    assert _s2s(workspace, "configure", "--corpus", str(folder)).exit_code == 0
    assert load_settings(workspace.params).evaluate.slice_columns == ["domain"]
    assert _s2s(workspace, "check-settings").exit_code == 0
    write_lines(folder / "train.jsonl", map(json.dumps, objects))
    bad = _s2s(workspace, "check-settings")
    assert bad.exit_code == 2
    assert "train.jsonl: no column 'domain' (evaluate.slice_columns); the columns beside source and target are: none" in bad.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected a ready settings file (configs/), or --corpus FOLDER to propose settings; got neither"),
        ([str(ROOT / "configs" / "g2p.yaml"), "--task", "speech"], "--task: must be left out with a ready settings file"),
        ([str(ROOT / "configs" / "g2p.yaml"), "--source", "2"], "--source: must be left out without --corpus FOLDER"),
        ([str(ROOT / "configs" / "g2p.yaml"), "--target", "de"], "--target: must be left out without --corpus FOLDER"),
        ([str(ROOT / "configs" / "g2p.yaml"), "--no-header"], "--header: must be left out without --corpus FOLDER"),
        (["--corpus", "nowhere"], "nowhere: no such folder or file; name the corpus with --corpus FOLDER"),
    ],
)
def test_what_cannot_be_configured_is_refused_and_nothing_is_written(workspace: Paths, arguments: list[str], message: str) -> None:
    result = _s2s(workspace, "configure", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not workspace.params.exists()


def test_one_file_and_its_header_are_chosen_on_the_command_line(workspace: Paths) -> None:
    folder = make_corpus("bars", workspace.root / "data" / "bars")
    result = _s2s(workspace, "configure", "--corpus", str(folder / "training.txt"), "--header")
    assert result.exit_code == 0, result.output
    assert "a header (as --header says; --header, --no-header)" in result.output
    corpus = load_settings(workspace.params).corpus
    assert (corpus.header, corpus.files.train, corpus.files.dev) == (True, ["training.txt"], [])
    ready = str(ROOT / "configs" / "g2p.yaml")
    fitted = _s2s(workspace, "configure", ready, "--corpus", str(folder / "training.txt"), "--no-header")
    assert fitted.exit_code == 0, fitted.output
    corpus = load_settings(workspace.params).corpus
    assert (corpus.header, corpus.files.train, corpus.delimiter) == (False, ["training.txt"], "|")


def test_a_ready_file_takes_the_files_that_are_there(workspace: Paths) -> None:
    folder = make_corpus("aligned_splits", workspace.root / "data" / "mine")
    result = _s2s(workspace, "configure", str(ROOT / "configs" / "multi30k_en_de.yaml"), "--corpus", str(folder))
    assert result.exit_code == 0, result.output
    assert "names train.tsv, dev.tsv, test_2016_flickr.tsv, which are not there: its files are replaced" in result.output
    assert load_settings(workspace.params).corpus.files.train == [("train.en", "train.de")]
