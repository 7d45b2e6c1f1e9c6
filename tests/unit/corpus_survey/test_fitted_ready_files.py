"""`s2s configure FILE --corpus FOLDER` where the folder has other files than the ready file names, and the check of a corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings, load_settings, parse_settings
from seq2seq_core.corpus_survey.corpus_check import check_corpus
from seq2seq_core.corpus_survey.proposed_settings import install_fitted
from seq2seq_core.errors import UserError
from tests.made_corpora import make_corpus, write_lines

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
ROWS = [f"word {number}\tWort {number}" for number in range(50)]


def _fit(tmp_path: Path, ready: str, folder: Path) -> tuple[Settings, list[str]]:
    paths = Paths(tmp_path)
    findings = install_fitted(CONFIGS / f"{ready}.yaml", paths, folder, "mine", force=False)
    return load_settings(paths.params), findings


def test_other_file_names_replace_those_of_the_ready_file(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        write_lines(tmp_path / "mine" / f"{split}.tsv", ROWS)
    settings, findings = _fit(tmp_path, "multi30k_en_de", tmp_path / "mine")
    assert settings.corpus.files.model_dump() == {split: [f"{split}.tsv"] for split in ("train", "dev", "test")}
    ready = load_settings(CONFIGS / "multi30k_en_de.yaml")
    assert (settings.model, settings.train, settings.tokenize) == (ready.model, ready.train, ready.tokenize)
    assert "names test_2016_flickr.tsv, which are not there: its files are replaced" in findings[0]
    assert "# Greedy BLEU on dev" in (tmp_path / "params.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("ready", "corpus", "expected"),
    [
        (
            "multi30k_en_de",
            "aligned_splits",
            {"files": {split: [(f"{split}.en", f"{split}.de")] for split in ("train", "dev", "test")}},
        ),
        ("multi30k_en_de", "semicolons", {"delimiter": ";", "source_column": "english", "header": True, "columns": []}),
        ("inflection", "inflection", {"columns": ["source", "target", "features"], "input_columns": ["features"]}),
        ("summarisation", "summaries", {"source_column": "article", "target_column": "highlights"}),
        ("multilingual", "languages", {"input_columns": ["target_language"]}),
    ],
)
def test_a_ready_file_takes_the_layout_of_the_corpus(tmp_path: Path, ready: str, corpus: str, expected: dict[str, object]) -> None:
    found = _fit(tmp_path, ready, make_corpus(corpus, tmp_path / corpus))[0].corpus.model_dump()
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("ready", "corpus", "message"),
    [
        ("dialogue", "bars", "expected turns of conversations, found none"),
        ("g2p", "turns", "expected pairs of texts, found turns of conversations"),
        ("g2p", "speech", "expected pairs of texts, found recordings"),
        ("lines", "speech", "expected pairs of texts, found recordings"),
        ("lines", "bars", "expected pictures, found none"),
        ("inflection", "aligned_alone", "no column 'features' (corpus.input_columns)"),
        ("spoken_digits", "speech", "no column 'digits' (evaluate.slice_columns)"),
    ],
)
def test_a_corpus_of_another_kind_is_refused_with_the_command_that_suits_it(
    tmp_path: Path, ready: str, corpus: str, message: str
) -> None:
    folder = make_corpus(corpus, tmp_path / corpus)
    with pytest.raises(UserError) as caught:
        _fit(tmp_path, ready, folder)
    assert message in str(caught.value)
    assert f"`s2s configure --corpus {folder}` proposes settings for what is there" in str(caught.value)
    assert not (tmp_path / "params.yaml").exists()


def _settings(**corpus: object) -> Settings:
    files = {"train": ["train.tsv"], "test": ["test.tsv"]}
    sections = {
        "corpus": {"path": "raw", "files": files, "header": False} | corpus,
        "register": {"model_name": "m"},
        "evaluate": {"slice_columns": ["topic"]},
    }
    return parse_settings(sections, "test")


def test_every_fault_of_a_corpus_is_listed_at_once(tmp_path: Path) -> None:
    write_lines(tmp_path / "raw" / "train.tsv", ["one column"])
    write_lines(tmp_path / "raw" / "test.tsv", ROWS)
    with pytest.raises(UserError) as caught:
        check_corpus(_settings(files={"train": ["train.tsv"], "dev": ["dev.tsv"], "test": ["test.tsv"]}), tmp_path)
    assert [line.split(";")[0] for line in str(caught.value).splitlines()] == [
        "the corpus raw does not fit the settings:",
        "  raw/dev.tsv: no such file (corpus.files.dev)",
        "  raw/train.tsv:1: expected 2 columns (source, target), got 1: 'one column'",
        "  test.tsv: no column 'topic' (evaluate.slice_columns)",
    ]


def test_only_the_first_rows_are_read(tmp_path: Path) -> None:
    write_lines(tmp_path / "raw" / "train.tsv", ["a\tb\tnews", "faulty"])
    settings = _settings(files={"train": ["train.tsv"]}, columns=["source", "target", "topic"])
    assert check_corpus(settings, tmp_path) == {"train": 1}
    with pytest.raises(UserError, match=r"train\.tsv:2"):
        check_corpus(settings, tmp_path, most_rows=2)
