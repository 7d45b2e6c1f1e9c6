"""The splits that are proposed for small corpora, and the test rows that the gate asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.register import GateSection
from seq2seq_core.config.settings import load_settings
from seq2seq_core.corpus_survey.choices.split_choice import FEWEST_PROVING_ROWS, FEWEST_TEST_ROWS
from seq2seq_core.corpus_survey.proposed_settings import install_proposal
from seq2seq_core.evaluation.scored_pairs import read_scored
from seq2seq_core.evaluation.several_references import references_in
from seq2seq_core.gate.spending import level_of_look
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.prepare import run_prepare
from tests.made_corpora import make_corpus, names, write_lines

WORDS = [f"{name}\t{name.upper()}" for name in names(100)]


def _make(kind: str, folder: Path) -> None:
    if kind == "pictures":
        table = make_corpus("captions", folder) / "discs.tsv"
        write_lines(table, table.read_text(encoding="utf-8").splitlines()[:50:2])
        return
    write_lines(folder / "pairs.tsv", WORDS if kind == "pairs" else WORDS[:30])
    if kind == "a short test file":
        write_lines(folder / "test.tsv", [*WORDS[40:50], WORDS[3]])  # one leaks


@pytest.mark.parametrize("kind", ["pairs", "few pairs", "a short test file", "pictures"])
def test_the_gate_asks_for_no_more_rows_than_the_proposed_split_gives(tmp_path: Path, kind: str) -> None:
    _make(kind, tmp_path / "raw")
    paths = Paths(tmp_path)
    findings = install_proposal(paths, tmp_path / "raw", None, "", force=False)
    settings = load_settings(paths.params)
    run_prepare(settings, paths, NullRecorder())
    rows, asked = (paths.prepared / "test.jsonl").read_bytes().count(b"\n"), settings.register_.gate.minimum_rows
    assert FEWEST_PROVING_ROWS <= asked <= rows
    assert (rows >= FEWEST_TEST_ROWS) == (kind == "pairs")
    told = next(line for line in findings if line.startswith("gate: "))
    assert told.startswith("gate: test is small") if kind == "pairs" else f"with {asked} rows or more, if it is far better" in told


def test_several_targets_of_a_source_are_one_row_of_test(tmp_path: Path) -> None:
    words = names(240)
    write_lines(tmp_path / "raw" / "train.tsv", [f"{name}\t{name.upper()}{end}" for name in words for end in ("", " A", " B")])
    paths = Paths(tmp_path)
    findings = install_proposal(paths, tmp_path / "raw", None, "", force=False)
    settings = load_settings(paths.params)
    run_prepare(settings, paths, NullRecorder())
    rows = read_scored(paths.prepared_split("test"), settings.evaluate, 0)
    assert {references_in(row["target"])[1:] == (f"{row['target']} A", f"{row['target']} B") for row in rows} == {True}
    assert FEWEST_TEST_ROWS <= settings.register_.gate.minimum_rows <= len(rows) < 100
    assert any(line.startswith("references: rows of test with the same source are one row") for line in findings)


@pytest.mark.parametrize("kind", ["a further column", "a file of test"])
def test_rows_that_are_not_put_together_are_not_counted_so(tmp_path: Path, kind: str) -> None:
    rows = [(name, f"{name.upper()}{end}") for name in names(240) for end in ("", " A", " B")]
    heads, further = ("source\ttarget\tid", True) if kind == "a further column" else ("source\ttarget", False)
    lines = [f"{source}\t{target}{f'{chr(9)}n{place}' if further else ''}" for place, (source, target) in enumerate(rows)]
    write_lines(tmp_path / "raw" / "train.tsv", [heads, *lines])
    if not further:
        write_lines(tmp_path / "raw" / "test.tsv", [heads, *(f"x{name}\tX{name.upper()}" for name in names(200))])
    install_proposal(Paths(tmp_path), tmp_path / "raw", None, "", force=False)
    settings = load_settings(Paths(tmp_path).params)
    assert settings.evaluate.references == "each"
    assert settings.register_.gate.minimum_rows == (settings.register_.gate.minimum_rows if further else GateSection().minimum_rows)


def test_a_test_set_that_can_prove_nothing_is_told(tmp_path: Path) -> None:
    assert 2.0**-FEWEST_PROVING_ROWS <= level_of_look(GateSection().alpha, 1) < 2.0 ** (1 - FEWEST_PROVING_ROWS)
    write_lines(tmp_path / "raw" / "train.tsv", WORDS)
    write_lines(tmp_path / "raw" / "test.tsv", WORDS[: FEWEST_PROVING_ROWS - 1])
    findings = install_proposal(Paths(tmp_path), tmp_path / "raw", None, "", force=False)
    assert any("no version becomes the champion" in line for line in findings)
