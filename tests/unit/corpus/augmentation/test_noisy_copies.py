"""Noise in sources, and the noisy copies that prepare adds to train alone."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from random import Random
from typing import Any

import pytest
from typer.testing import CliRunner

from seq2seq_core.artifacts import Paths
from seq2seq_core.cli.main import app
from seq2seq_core.config.settings import parse_settings
from seq2seq_core.corpus.augmentation.hallucinated_stems import with_made_up_stem
from seq2seq_core.corpus.augmentation.source_noise import kinds_of_noise
from seq2seq_core.corpus.normalization import normalize_nearly
from seq2seq_core.corpus.pairs import iterate_pairs
from seq2seq_core.errors import UserError
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.prepare import run_prepare

ROOT = Path(__file__).resolve().parents[4]
TEXT = "Der Zug nach Köln, bitte!"
PAIRS = [(f"Satz {number}, der {'lang ' * (number % 5)}ist.", f"sentence {number}") for number in range(400)]


def test_case_changes_nothing_but_case(fresh_seed: int) -> None:
    chance, noise = Random(fresh_seed), kinds_of_noise(0.05)["case"]
    forms = {noise(TEXT, chance) for _ in range(100)}
    assert forms == {TEXT.lower(), TEXT.upper(), TEXT.title(), "der Zug nach Köln, bitte!"}
    assert noise("123 !", chance) == "123 !"


def test_typing_errors_are_as_many_as_the_rate_says_and_tear_no_letter_from_its_marks(fresh_seed: int) -> None:
    chance = Random(fresh_seed)
    text = "abcdefghij" * 20
    for rate, most in ((0.05, 20), (0.5, 200)):
        noisy = kinds_of_noise(rate)["typos"](text, chance)
        assert noisy != text
        assert abs(len(noisy) - len(text)) <= most
    for _ in range(200):
        noisy = kinds_of_noise(0.3)["typos"]("क\u094dष\u093f ab", chance)
        assert not noisy.startswith(("\u094d", "\u093f"))
        assert " " in noisy
    assert kinds_of_noise(0.5)["typos"]("a 1", chance) == "a 1"


def test_punctuation_changes_nothing_but_punctuation_and_spaces(fresh_seed: int) -> None:
    chance, noise = Random(fresh_seed), kinds_of_noise(0.05)["punctuation"]
    forms = {noise(TEXT, chance) for _ in range(200)}
    assert {
        "Der Zug nach Köln bitte",
        "Der Zug nach Köln, bitte",
        "Der Zug nach Köln,, bitte!",
        "Der Zug nach Köln, bitte !",
    } <= forms
    assert {normalize_nearly(form) for form in forms} == {normalize_nearly(TEXT)}
    assert noise("no mark", chance) == "no mark"


def _prepare(root: Path, rows: list[tuple[str, str]] = PAIRS, **augment: Any) -> tuple[Paths, list[dict[str, str]], dict[str, Any]]:
    (root / "raw").mkdir(exist_ok=True)
    shutil.copyfile(ROOT / "dvc.yaml", root / "dvc.yaml")
    for split, own in (("train", rows), ("dev", [("Ein Satz.", "d")]), ("test", [("Noch einer.", "t")])):
        text = "".join(f"{source}\t{target}\tde\n" for source, target in own)
        (root / "raw" / f"{split}.tsv").write_text("source\ttarget\tlanguage\n" + text, encoding="utf-8")
    values = {
        "corpus": {"path": "raw", "files": {split: [f"{split}.tsv"] for split in ("train", "dev", "test")}},
        "prepare": {"augment": augment},
        "register": {"model_name": "m"},
    }
    paths = Paths(root.resolve())
    run_prepare(parse_settings(values, "test"), paths, NullRecorder())
    return paths, list(iterate_pairs(paths.prepared_split("train"))), json.loads(paths.prepare_report.read_text(encoding="utf-8"))


def test_copies_are_added_to_train_alone_behind_the_pairs_and_counted_apart(tmp_path: Path) -> None:
    paths, pairs, report = _prepare(tmp_path, case=0.5, typos=0.25, punctuation=1.0)
    own = [{"source": source, "target": target, "language": "de"} for source, target in PAIRS]
    assert pairs[: len(own)] == own
    copies, counts = pairs[len(own) :], report["train"]["augmented"]
    assert counts["punctuation"] == 400
    assert 150 < counts["case"] < 250
    assert 60 < counts["typos"] < 140
    assert len(copies) == sum(counts.values())
    assert report["train"]["rows_out"] == len(pairs) == report["train"]["rows_in"] + sum(counts.values())
    assert {copy["target"] for copy in copies} <= {target for _, target in PAIRS}
    assert not {copy["source"] for copy in copies} & {source for source, _ in PAIRS}
    assert all(copy["language"] == "de" for copy in copies)
    assert "augmented" not in report["dev"]
    shown = CliRunner().invoke(app, ["changed", "--rule", "augmented.typos", "--limit", "1", "--workspace", str(paths.root)]).output
    assert shown.startswith(f"train, augmented.typos: augmented {counts['typos']} of 400 rows")
    assert "source now " in shown


def test_the_copies_of_a_pair_depend_on_it_and_the_seed_alone(tmp_path: Path) -> None:
    for name in ("one", "fewer", "other"):
        (tmp_path / name).mkdir()
    first = _prepare(tmp_path / "one", typos=0.5)[1][400:]
    fewer = _prepare(tmp_path / "fewer", PAIRS[::2], typos=0.5)[1][200:]
    kept = {target for _, target in PAIRS[::2]}
    assert fewer == [copy for copy in first if copy["target"] in kept]
    assert _prepare(tmp_path / "other", typos=0.5, seed=2)[1][400:] != first


def test_a_copy_never_equals_a_source_of_dev_or_test(tmp_path: Path) -> None:
    # One letter too many for the source of dev: without the check, some twenty copies of 520 equal it.
    rows = [(f"E{letter}in Satz.", f"{letter}{number}") for letter in "abcdefghijklmnopqrstuvwxyz" for number in range(20)]
    pairs = _prepare(tmp_path, rows, typos=1.0, typo_rate=0.01)[1]
    assert len(pairs) > len(rows)
    assert "einsatz" not in {normalize_nearly(pair["source"]) for pair in pairs}


def test_recordings_have_no_typing_errors() -> None:
    values = {
        "corpus": {"path": "raw", "files": {"train": ["a.tsv"]}, "source_kind": "audio"},
        "prepare": {"augment": {"typos": 0.1}},
        "tokenize": {"audio": {}},
        "register": {"model_name": "m"},
    }
    with pytest.raises(UserError, match=r"prepare\.augment: must be off unless corpus\.source_kind is 'text', got it with 'audio'"):
        parse_settings(values, "test")


def test_a_made_up_stem_is_the_same_on_both_sides_and_the_rest_stays(fresh_seed: int) -> None:
    source, target = with_made_up_stem("sagen", "gesagt", ["x", "y"], Random(fresh_seed)) or ("", "")
    assert re.fullmatch("[xy]{3}en", source)
    assert target == f"ge{source[:3]}t"
    assert with_made_up_stem("be", "was", ["x"], Random(1)) is None


@pytest.mark.parametrize(("stems", "copies"), [(2.0, 400), (0.5, 100)])
def test_copies_with_made_up_stems_stand_behind_the_pairs_of_train(tmp_path: Path, stems: float, copies: int) -> None:
    words = sorted({f"{first}{second}rs{third}" for first in "abcdefgh" for second in "aeiou" for third in "klmnp"})
    pairs = [(f"{word}en", f"ge{word}t") for word in words]
    folder = tmp_path / "raw"
    folder.mkdir()
    for split, rows in (("train", pairs), ("dev", pairs[:3]), ("test", pairs[3:6])):
        (folder / f"{split}.tsv").write_text("source\ttarget\n" + "".join(f"{a}\t{b}\n" for a, b in rows))
    files = {split: [f"{split}.tsv"] for split in ("train", "dev", "test")}
    prepare = {"augment": {"stems": stems}, "leakage": "exact"}
    sections = {"corpus": {"path": "raw", "files": files}, "prepare": prepare, "register": {"model_name": "m"}}
    paths = Paths(tmp_path)
    run_prepare(parse_settings(sections, "test"), paths, NullRecorder())
    found = [(pair["source"], pair["target"]) for pair in iterate_pairs(paths.prepared_split("train"))]
    made = found[len(pairs) - 6 :]
    assert len(made) == pytest.approx(copies, rel=0.25)
    assert all(target == f"ge{source.removesuffix('en')}t" for source, target in made)
    assert json.loads(paths.prepare_report.read_text())["train"]["augmented"] == {"stems": len(made)}
