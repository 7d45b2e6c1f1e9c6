"""Monolingual sentences through prepare and tokenize, and pairs in both directions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.corpus.pairs import iterate_pairs, iterate_sentences
from seq2seq_core.errors import CorpusError, UserError
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.tokenization.languages import MASK_TAG
from seq2seq_core.tokenization.manifest import Manifest, SentencesInfo
from seq2seq_core.tokenization.special_tokens import EOS_ID
from seq2seq_core.tokenization.subword import SubwordModel

Pair = tuple[str, str]
COLUMNS = {"source_language": "en", "target_language": "de"}
PAIRS = {"train": [("red", "rot"), ("blue", "blau")], "dev": [("green", "grün")], "test": [("two red cars", "zwei rote autos")]}
ENGLISH = ["a red car", "green", "a red car", "GREEN !", "grün", "", "long " * 20, "two  cars"]


def make_settings(splits: tuple[str, ...] = ("train", "dev", "test"), **sections: dict[str, Any]) -> Settings:
    files = {split: [{"file": f"{split}.tsv", "columns": COLUMNS}] for split in splits}
    corpus = {
        "path": "raw",
        "files": {"train": []} | files,
        "monolingual": [{"file": "en.txt", "language": "en"}, {"file": "de.txt", "language": "de"}],
    }
    values = {
        "corpus": corpus | sections.get("corpus", {}),
        "prepare": {"whitespace": "collapse", "max_dropped_fraction": 1.0} | sections.get("prepare", {}),
        "register": {"model_name": "m"},
        "tokenize": {
            "joint": True,
            "source": {"model": "char"},
            "source_tags": ["target_language"],
            "max_unknown_target_fraction": 1.0,
        }
        | sections.get("tokenize", {}),
        "train": {"phases": [{"objective": "denoising"}]},
        "runtime": {"progress": "plain"},
    }
    return parse_settings(values, "test")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    folder = tmp_path / "raw"
    folder.mkdir()
    for split, pairs in PAIRS.items():
        text = "source\ttarget\n" + "".join(f"{source}\t{target}\n" for source, target in pairs)
        (folder / f"{split}.tsv").write_text(text, encoding="utf-8")
    (folder / "en.txt").write_text("".join(f"{text}\n" for text in ENGLISH), encoding="utf-8")
    (folder / "de.txt").write_text("ein haus\nzwei rote autos\n", encoding="utf-8")
    return Paths(tmp_path)


def prepared(paths: Paths, language: str) -> list[str]:
    return list(iterate_sentences(paths.prepared_sentences(language)))


# --- prepare ---------------------------------------------------------------------------------------------------------
def test_sentences_are_cleaned_deduplicated_and_kept_apart_from_both_sides_of_dev_and_test(paths: Paths) -> None:
    result = run_prepare(make_settings(prepare={"max_characters": 50}), paths, NullRecorder())
    assert prepared(paths, "en") == ["a red car", "two cars"]
    assert prepared(paths, "de") == ["ein haus"]
    english = result.funnels["monolingual.en"]
    assert english.dropped == {"min_characters": 1, "max_characters": 1, "deduplicate": 1, "leakage": 3}
    assert english.rows_in == english.rows_out + sum(english.dropped.values())
    report = json.loads(paths.prepare_report.read_text(encoding="utf-8"))["monolingual.en"]
    assert (report["rows_out"], report["text_characters"]["max"]) == (2, 9)
    assert paths.prepared_languages() == ["de", "en"]


@pytest.mark.parametrize(("leakage", "left"), [("keep", {"green", "GREEN !", "grün"}), ("exact", {"GREEN !"}), ("near", set())])
def test_the_policy_of_leakage_holds_for_sentences_too(paths: Paths, leakage: str, left: set[str]) -> None:
    run_prepare(make_settings(prepare={"leakage": leakage}), paths, NullRecorder())
    assert {"green", "GREEN !", "grün"} & set(prepared(paths, "en")) == left


def test_sentences_are_kept_apart_from_what_is_carved_out_of_train(paths: Paths) -> None:
    (paths.root / "raw" / "train.tsv").write_text(
        "source\ttarget\n" + "".join(f"word {number}\twort {number}\n" for number in range(60)), encoding="utf-8"
    )
    (paths.root / "raw" / "en.txt").write_text("".join(f"word {number}\n" for number in range(60)), encoding="utf-8")
    (paths.root / "raw" / "de.txt").write_text("".join(f"wort {number}\n" for number in range(60)), encoding="utf-8")
    run_prepare(make_settings(("train",), prepare={"dev_fraction": 0.2, "test_fraction": 0.2}), paths, NullRecorder())
    train = list(iterate_pairs(paths.prepared_split("train")))
    assert 0 < len(train) < 60
    assert prepared(paths, "en") == [pair["source"] for pair in train]
    assert prepared(paths, "de") == [pair["target"] for pair in train]


def test_a_language_that_loses_every_sentence_is_an_error(paths: Paths) -> None:
    with pytest.raises(
        UserError, match=r"^monolingual\.en is empty: of 8 rows all were taken away, most by prepare\.min_characters"
    ):
        run_prepare(
            make_settings(prepare={"min_characters": 1000}, corpus={"files": make_files_without_train()}), paths, NullRecorder()
        )


def make_files_without_train() -> dict[str, Any]:
    return {"train": [], **{split: [{"file": f"{split}.tsv", "columns": COLUMNS}] for split in ("dev", "test")}}


def test_pairs_enter_in_both_directions_and_dev_and_test_in_theirs(paths: Paths) -> None:
    result = run_prepare(make_settings(corpus={"both_directions": True}), paths, NullRecorder())
    rows = [tuple(pair.values()) for pair in iterate_pairs(paths.prepared_split("train"))]
    assert rows == [
        ("red", "rot", "en", "de"), ("rot", "red", "de", "en"), ("blue", "blau", "en", "de"), ("blau", "blue", "de", "en"),
    ]  # fmt: skip
    assert [pair["source"] for pair in iterate_pairs(paths.prepared_split("dev"))] == ["green"]
    funnel = result.funnels["train"]
    assert (funnel.rows_in, funnel.exchanged, funnel.rows_out) == (2, 2, 4)


def test_no_pair_is_turned_round_into_a_source_of_test(paths: Paths) -> None:
    (paths.root / "raw" / "test.tsv").write_text("source\ttarget\nblau\tblue\n", encoding="utf-8")
    run_prepare(make_settings(corpus={"both_directions": True}), paths, NullRecorder())
    assert [pair["source"] for pair in iterate_pairs(paths.prepared_split("train"))] == ["red", "rot", "blue"]


def test_both_directions_need_the_languages_of_each_pair(paths: Paths) -> None:
    files = {split: [f"{split}.tsv"] for split in PAIRS}
    with pytest.raises(UserError) as caught:
        run_prepare(make_settings(corpus={"both_directions": True, "files": files}), paths, NullRecorder())
    assert str(caught.value) == (
        "corpus.both_directions: must be false unless every pair of train has the columns source_language and target_language; "
        "target_language is missing (in the file, or as a constant column in corpus.files.train)"
    )


# --- tokenize --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("splits", [("train", "dev", "test"), ("dev", "test")])
def test_sentences_and_their_symbols_are_part_of_the_tokenised_corpus(paths: Paths, splits: tuple[str, ...]) -> None:
    settings = make_settings(splits)
    run_prepare(settings, paths, NullRecorder())
    run_tokenize(settings, paths, NullRecorder())
    manifest, model = Manifest.load(paths.tokenized), SubwordModel.load(paths.tokenized / "source.model")
    assert list(model.tags) == [("target_language", "de"), ("target_language", "en"), MASK_TAG]
    sentences = TokenizedDataset.open_sentences(paths.tokenized, "monolingual.de")
    assert manifest.monolingual["de"] == SentencesInfo(sentences=1, tokens=len("ein haus") + 1)
    assert sentences.source(0).tolist() == sentences.target(0).tolist() == [*model.encode(["ein haus"])[0], EOS_ID]
    assert len(TokenizedDataset.open(paths.tokenized, "train")) == manifest.splits["train"].pairs == (2 if "train" in splits else 0)
    tokens = {id_ for row in range(len(sentences)) for id_ in np.asarray(sentences.target(row)).tolist()}
    assert not tokens & set(model.tag_ids)


def test_sentences_that_are_too_long_are_dropped_and_counted_and_all_of_them_is_an_error(paths: Paths) -> None:
    settings = make_settings(tokenize={"max_target_tokens": 9})
    run_prepare(settings, paths, NullRecorder())
    run_tokenize(settings, paths, NullRecorder())
    report = json.loads(paths.tokenize_report.read_text(encoding="utf-8"))["monolingual.en"]
    assert (report["sentences"], report["dropped_too_long"]) == (1, 2)
    with pytest.raises(UserError) as caught:
        run_tokenize(make_settings(tokenize={"max_source_tokens": 7}), paths, NullRecorder())
    assert str(caught.value) == (
        "tokenize.max_source_tokens, tokenize.max_target_tokens: all 1 sentences of monolingual.de are longer than 6 tokens, "
        "expected at least one that is not"
    )


def test_a_prepared_sentence_that_is_none_is_named(paths: Paths) -> None:
    paths.prepared.mkdir(parents=True)
    paths.prepared_sentences("en").write_text('{"text": "a"}\n{"words": "b"}\n', encoding="utf-8")
    with pytest.raises(CorpusError, match=r'monolingual\.en\.jsonl:2: expected a JSON object with a "text"'):
        prepared(paths, "en")
