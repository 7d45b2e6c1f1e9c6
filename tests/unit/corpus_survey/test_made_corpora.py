"""Each kind of corpus that people bring: what is proposed for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.register import GateSection
from seq2seq_core.config.settings import Settings, load_settings, parse_settings
from seq2seq_core.corpus_survey.choices.split_choice import FEWEST_TEST_ROWS
from seq2seq_core.corpus_survey.choices.training_sizes import FEW_PRONUNCIATIONS, choose_model
from seq2seq_core.corpus_survey.corpus_check import check_corpus
from seq2seq_core.corpus_survey.proposed_settings import install_proposal
from seq2seq_core.corpus_survey.table_columns import LayoutChoice
from seq2seq_core.errors import UserError
from tests.made_corpora import ENGLISH, GERMAN, WRITERS, make_corpus, names, sentences, write_lines

ROOT = Path(__file__).resolve().parents[3]
Propose = Callable[..., tuple[Settings, list[str]]]
PAIR = {"header": False, "columns": ["source", "target"]}

EXPECTED: dict[str, tuple[str, dict[str, Any]]] = {
    "aligned_splits": (
        "translation",
        {"files": {"train": [("train.en", "train.de")], "dev": [("dev.en", "dev.de")], "test": [("test.en", "test.de")]}},
    ),
    "aligned_alone": ("translation", {"files": {"train": [("books.fr-en.fr.gz", "books.fr-en.en.gz")], "dev": [], "test": []}}),
    "aligned_folders": (
        "translation",
        {"files": {"train": [("en/train.txt", "de/train.txt")], "dev": [("en/valid.txt", "de/valid.txt")], "test": []}},
    ),
    "semicolons": ("translation", {"delimiter": ";", "header": True, "source_column": "english", "target_column": "german"}),
    "bars": (
        "transliteration",
        {"format": "tsv", "delimiter": "|", "files": {"train": ["training.txt"], "dev": ["validation.txt"], "test": []}, **PAIR},
    ),
    "moses": ("translation", {"format": "tsv", "delimiter": " ||| ", **PAIR}),
    "pronunciation": ("pronunciation", {"delimiter": "", "source_column": "word", "target_column": "pronunciation"}),
    "normalisation": ("normalisation", {"header": True, "source_column": "before", "target_column": "after"}),
    "spelling": ("spelling", PAIR),
    "inflection": (
        "inflection",
        {
            "format": "tsv",
            "columns": ["source", "target", "features"],
            "input_columns": ["features"],
            "files": {"train": ["eng.trn"], "dev": ["eng.dev"], "test": ["eng.tst"]},
        },
    ),
    "summaries": ("summarisation", {"format": "auto", "source_column": "article", "target_column": "highlights"}),
    "turns": ("dialogue", {"format": "auto"}),
    "questions": ("dialogue", {"format": "jsonl", "source_column": "question", "target_column": "answer"}),
    "parses": ("parsing", {"files": {"train": ["tasks_train.tsv"], "dev": [], "test": ["tasks_test.tsv"]}, **PAIR}),
    "parquet": (
        "translation",
        {
            "source_column": "en",
            "target_column": "de",
            "files": {
                "train": ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"],
                "dev": [],
                "test": ["data/test-00000-of-00001.parquet"],
            },
        },
    ),
    "languages": ("translation", {"input_columns": ["target_language"], **PAIR}),
    "german_sheet": (
        "translation",
        {"header": True, "delimiter": ";", "source_column": "Quelltext", "target_column": "Zieltext"},
    ),
    "packed_sides": ("translation", {"files": {"train": [("a.src.gz", "a.tgt.gz")], "dev": [], "test": []}}),
    "chats": ("dialogue", {"format": "auto"}),
    "three_texts": ("dialogue", {"source_column": "question", "target_column": "answer"}),
    "variants": ("pronunciation", {"format": "tsv", "comment_prefix": "#", **PAIR}),
    "cards": (
        "translation",
        {"format": "tsv", "comment_prefix": "#", "header": False, "columns": ["Front", "Back", "Tags"], "source_column": "Front"},
    ),
    "nested": ("translation", {"source_column": "translation.en", "target_column": "translation.fr"}),
    "captions": ("captions", {"source_kind": "image", "columns": ["source", "target", "language"], "input_columns": ["language"]}),
    "speech": ("speech", {"source_kind": "audio", "sample_rate": 8000, "source_column": "path", "target_column": "transcript"}),
}
"""The task, and settings of ``corpus``, that each is proposed."""


@pytest.fixture
def propose(tmp_path: Path) -> Propose:
    """Makes a corpus, and installs what is proposed for it."""

    def run(name: str, task: str = "", source: str = "", target: str = "") -> tuple[Settings, list[str]]:
        paths = Paths(tmp_path / "workspace")
        folder = make_corpus(name, paths.root / "raw" / name)
        findings = install_proposal(paths, folder, None, task, force=False, chosen=LayoutChoice(source, target))
        return load_settings(paths.params), findings

    return run


def test_each_corpus_that_can_be_read_is_expected() -> None:
    assert set(EXPECTED) == set(WRITERS) - {"unicode_text"}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_corpus_is_recognised(propose: Propose, name: str) -> None:
    task, corpus = EXPECTED[name]
    settings, findings = propose(name)
    assert any(line.startswith(f"task: {task}, because ") for line in findings)
    found = settings.corpus.model_dump()
    assert {setting: found[setting] for setting in corpus} == corpus
    assert (settings.corpus.path, settings.register_.model_name) == (f"raw/{name}", name)
    assert any(line.startswith("files: train ") for line in findings)


@pytest.mark.parametrize("how", [{"task": "synthesis"}, {"target": "path"}])
def test_recordings_are_targets_where_the_user_says_so(propose: Propose, how: dict[str, str]) -> None:
    settings, findings = propose("speech", **how)
    assert (settings.corpus.target_kind, settings.corpus.sample_rate) == ("audio", 8000)
    assert (settings.corpus.source_column, settings.corpus.target_column) == ("transcript", "path")
    assert settings.tokenize.source_tags == settings.corpus.input_columns == ["speaker"]
    assert "target: recordings of 0.2 s on average, at most 0.2 s, 8000 samples a second (other rates are resampled)" in findings
    ready = load_settings(ROOT / "configs" / "synthesis.yaml")
    assert settings.model == ready.model
    lengths = {"max_steps", "validate_every_steps", "sized_for_pairs"}
    assert settings.train.model_dump(exclude=lengths) == ready.train.model_dump(exclude=lengths)


def test_a_target_that_names_no_recordings_is_refused_where_a_model_is_to_speak(propose: Propose) -> None:
    told = r"--target: must be a column that names recordings where a model is to speak \('path'\), got 'transcript'"
    with pytest.raises(UserError, match=told):
        propose("speech", task="synthesis", target="transcript")


def test_names_of_columns_say_that_recordings_are_targets(tmp_path: Path) -> None:
    paths, folder = Paths(tmp_path), make_corpus("speech", tmp_path / "raw" / "speech")
    rows = [line.split(",") for line in (folder / "metadata.csv").read_text().splitlines()[1:]]
    write_lines(folder / "metadata.csv", ["source,target", *(f"{text},{path}" for path, text, _ in rows)])
    findings = install_proposal(paths, folder, None, "", force=False)
    assert "task: synthesis, because the targets are recordings (--task)" in findings
    assert "voice: one for all rows; a column that says who speaks would be a tag (tokenize.source_tags)" in findings
    assert load_settings(paths.params).tokenize.source_tags == []


def test_repeated_words_of_normalisation_are_kept(propose: Propose) -> None:
    settings, findings = propose("normalisation")
    assert (settings.prepare.deduplicate, settings.prepare.leakage) == ("none", "keep")
    assert settings.validate_.duplicate_pairs.severity == "off"
    assert any("kept, because how often a pair occurs is data here" in line for line in findings)


def test_repetitions_that_were_seen_do_not_stop_prepare(tmp_path: Path) -> None:
    pairs = [f"{english}\t{german}" for english, german in zip(sentences(ENGLISH, 60), sentences(GERMAN, 60), strict=True)]
    write_lines(tmp_path / "raw" / "repeated" / "train.tsv", pairs * 5)
    paths = Paths(tmp_path)
    install_proposal(paths, tmp_path / "raw" / "repeated", None, "translation", force=False, chosen=LayoutChoice())
    prepare = load_settings(paths.params).prepare
    assert (prepare.deduplicate, prepare.warn_dropped_fraction, prepare.max_dropped_fraction) == ("pair", 0.9, 0.9)


def test_pictures_become_patches_in_colour_and_their_language_a_tag(propose: Propose) -> None:
    settings, findings = propose("captions")
    assert settings.tokenize.image is not None
    assert (settings.tokenize.image.layout, settings.tokenize.image.colour) == ("patches", True)
    assert settings.tokenize.target_tags == ["language"]
    assert "source: pictures of about 20 × 16 pixels, coloured" in findings


def test_pictures_are_lines_where_the_task_says_so(propose: Propose) -> None:
    settings, _ = propose("captions", task="lines")
    assert settings.tokenize.image is not None
    assert settings.tokenize.image.layout == "columns"
    assert settings.model.ctc
    assert (settings.train.ctc_weight, settings.evaluate.ctc_weight) == (0.5, 0.7)


def test_turns_of_conversations_are_no_pairs(propose: Propose) -> None:
    settings, _ = propose("turns")
    conversations = settings.corpus.conversations
    assert conversations is not None
    assert (conversations.id_column, conversations.order_column, conversations.text_column) == ("conversation_id", "turn", "text")


def test_files_of_several_languages_get_their_languages_as_columns(propose: Propose) -> None:
    settings, _ = propose("languages")
    columns = {"source_language": "de", "target_language": "en"}
    assert {"file": "train.de-en.tsv", "columns": columns} in settings.corpus.model_dump()["files"]["train"]
    assert settings.tokenize.source_tags == ["target_language"]


def test_a_proposal_fits_the_size_of_the_corpus(propose: Propose) -> None:
    settings, _ = propose("pronunciation")
    assert settings.tokenize.target.model == "symbols"
    assert settings.tokenize.source.vocabulary_size <= 100
    assert settings.validate_.min_rows.limit == 200
    assert settings.train.dev_metric == settings.register_.metric == "exact_match"


def test_a_few_pronunciations_get_the_model_and_sizes_of_the_ready_file_for_few(propose: Propose) -> None:
    settings, _ = propose("pronunciation")
    ready = load_settings(ROOT / "configs" / "g2p_small.yaml")
    own = {"dev_sentences", "sized_for_pairs"}
    assert settings.model == ready.model
    assert settings.train.model_dump(exclude=own) == ready.train.model_dump(exclude=own)
    assert choose_model("pronunciation", FEW_PRONUNCIATIONS + 1, is_joint=False)["attention"] == "additive"


def test_a_small_test_set_can_still_crown_a_champion_and_that_is_said(propose: Propose) -> None:
    for name, expected in {"pronunciation": 27, "questions": FEWEST_TEST_ROWS}.items():
        settings, findings = propose(name)
        assert settings.register_.gate.minimum_rows == expected < GateSection().minimum_rows
        assert any(f"with {expected} rows or more" in line for line in findings)


@pytest.mark.parametrize(
    ("name", "source", "target", "expected"),
    [
        ("aligned_splits", "de", "en", ("train.de", "train.en")),
        ("semicolons", "german", "english", ("german", "english")),
        ("semicolons", "3", "2", ("german", "english")),
    ],
)
def test_source_and_target_can_be_chosen(propose: Propose, name: str, source: str, target: str, expected: tuple[str, str]) -> None:
    settings, _ = propose(name, source=source, target=target)
    if name == "aligned_splits":
        assert settings.corpus.files.train == [expected]
    else:
        assert settings.corpus.pair_columns == expected


def test_the_task_can_be_chosen(propose: Propose) -> None:
    settings, findings = propose("questions", task="summarization")
    assert settings.model.pointer_generator
    assert "task: summarisation, because --task says so (--task)" in findings


def test_params_yaml_says_why(propose: Propose, tmp_path: Path) -> None:
    _, findings = propose("bars")
    text = (tmp_path / "workspace" / "params.yaml").read_text(encoding="utf-8")
    assert text.startswith(
        "# Settings for the corpus raw/bars, proposed by `s2s configure --corpus raw/bars`.\n# - files: train training.txt"
    )
    assert all(finding[:60] in text for finding in findings)


def test_a_few_empty_rows_do_not_stop_the_first_training(propose: Propose, tmp_path: Path) -> None:
    folder = tmp_path / "workspace" / "raw" / "gaps"
    write_lines(folder / "train.tsv", [f"word {number}\t{'' if number % 20 == 0 else f'Wort {number}'}" for number in range(400)])
    paths = Paths(tmp_path / "workspace")
    install_proposal(paths, folder, None, "", force=False)
    assert load_settings(paths.params).validate_.empty.limit == pytest.approx(0.15)
    bars, _ = propose("bars")
    assert bars.validate_.empty.limit == pytest.approx(0.02)


def test_the_largest_file_is_train_where_no_name_tells_it(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    for name, count in (("test", 50), ("dev", 300)):
        write_lines(folder / f"{name}.tsv", [f"{name} {number}\t{name} Wort {number}" for number in range(count)])
    findings = install_proposal(Paths(tmp_path), folder, None, "", force=False)
    assert load_settings(tmp_path / "params.yaml").corpus.files.model_dump() == {
        "train": ["dev.tsv"],
        "dev": [],
        "test": ["test.tsv"],
    }
    assert "train: no name tells it; dev.tsv is the largest file (corpus.files)" in findings


@pytest.mark.parametrize("gaps", ["none", "a row of train", "all of test"])
def test_a_tag_is_a_column_that_every_row_has(tmp_path: Path, gaps: str) -> None:
    for split, count in {"train": 400, "test": 40}.items():
        rows = [
            {"source": lemma, "target": f"{lemma}{ending}", "features": name}
            for lemma in names(count)
            for name, ending in (("V;PST", "ed"), ("V;PRS", "ing"))
        ]
        lacking = {"none": [], "a row of train": rows[-1:] if split == "train" else [], "all of test": rows}[gaps]
        for row in lacking if split in gaps else []:
            del row["features"]
        write_lines(tmp_path / "raw" / f"{split}.jsonl", map(json.dumps, rows))
    install_proposal(Paths(tmp_path), tmp_path / "raw", None, "inflection", force=False)
    settings = load_settings(tmp_path / "params.yaml")
    assert settings.tokenize.source_tags == settings.corpus.input_columns == (["features"] if gaps == "none" else [])
    assert settings.evaluate.slice_columns == ([] if gaps == "all of test" else ["features"])


def test_a_tag_that_a_row_lacks_is_named_with_the_row(tmp_path: Path) -> None:
    rows = [{"source": f"w{number}", "target": "x"} | ({"tag": "a"} if number != 4 else {}) for number in range(9)]
    write_lines(tmp_path / "raw" / "train.jsonl", map(json.dumps, rows))
    sections = {
        "corpus": {"path": "raw", "files": {"train": ["train.jsonl"]}},
        "tokenize": {"source_tags": ["tag"]},
        "register": {"model_name": "m"},
    }
    with pytest.raises(UserError) as caught:
        check_corpus(parse_settings(sections, "test"), tmp_path, most_rows=100)
    assert str(caught.value).splitlines()[1:] == [
        "  train.jsonl:5: no column 'tag' (tokenize.source_tags); the columns beside source and target are: none"
    ]
