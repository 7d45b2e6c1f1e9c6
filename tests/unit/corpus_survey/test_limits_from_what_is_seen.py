"""Settings that follow from what the rows are like: outliers count little, and limits stay near what was seen, and are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings, load_settings
from seq2seq_core.corpus_survey.proposed_settings import install_proposal
from tests.made_corpora import ENGLISH, GERMAN, make_corpus, sentences, write_lines

PAIRS = list(zip(sentences(ENGLISH, 300), sentences(GERMAN, 300), strict=True))


def _propose(root: Path, pairs: list[tuple[str, str]]) -> tuple[Settings, list[str]]:
    write_lines(root / "raw" / "train.tsv", ("\t".join(pair) for pair in pairs))
    findings = install_proposal(Paths(root), root / "raw", None, "", force=False)
    return load_settings(root / "params.yaml"), findings


def test_a_few_very_long_sources_change_neither_task_nor_length_of_training(tmp_path: Path) -> None:
    usual, _ = _propose(tmp_path / "usual", PAIRS)
    long = [(f"{source} " * 600 if number % 20 == 0 else source, target) for number, (source, target) in enumerate(PAIRS)]
    settings, findings = _propose(tmp_path / "long", long)
    assert settings.model == usual.model
    assert 0.9 * usual.train.max_steps <= settings.train.max_steps <= usual.train.max_steps
    assert any(line.startswith("length: about 5 % of the sources have more than 2,048 tokens") for line in findings)


def test_what_is_cut_off_needs_no_updates(tmp_path: Path) -> None:
    steps = {}
    for times in (100, 200):
        settings, _ = _propose(tmp_path / str(times), [(f"{source} " * times, target) for source, target in PAIRS[:100]])
        assert (settings.tokenize.max_source_tokens, settings.tokenize.long_source) == (400, "truncate")
        steps[times] = settings.train.max_steps
    assert steps[100] == steps[200]


@pytest.mark.parametrize(("every", "empty", "dropped"), [(3, 0.43, 0.5), (2, 0.6, 0.7)])
def test_empty_rows_are_told_and_the_contract_stays(tmp_path: Path, every: int, empty: float, dropped: float) -> None:
    pairs = [(source, "" if number % every == 0 else target) for number, (source, target) in enumerate(PAIRS)]
    settings, findings = _propose(tmp_path, pairs)
    assert settings.validate_.empty.limit == pytest.approx(empty)
    assert settings.prepare.max_dropped_fraction == pytest.approx(dropped)
    seen = {3: 33, 2: 50}[every]
    told = f"empty: {seen} % of the rows have an empty side, and are dropped; validate accepts {100 * empty:.0f} % (validate.empty)"
    assert told in findings


def test_conflicting_targets_keep_a_limit_near_what_was_seen(tmp_path: Path) -> None:
    pairs = [(PAIRS[number - number % 4 if number % 4 == 1 else number][0], target) for number, (_, target) in enumerate(PAIRS)]
    settings, findings = _propose(tmp_path, pairs)
    contract = settings.validate_.conflicting_targets
    assert contract.limit == pytest.approx(0.35)
    assert contract.severity == "warning"
    assert any(line.startswith("conflicts: 25 % of the train pairs") and "validate accepts 35 %" in line for line in findings)


@pytest.mark.parametrize(("name", "noun"), [("captions", "picture"), ("speech", "recording")])
def test_files_that_cannot_be_used_are_told_with_their_lines(tmp_path: Path, name: str, noun: str) -> None:
    folder = make_corpus(name, tmp_path / "raw")
    usual = install_proposal(Paths(tmp_path), folder, None, "", force=False)
    settings = load_settings(tmp_path / "params.yaml")
    files = sorted(folder.glob("*/*.ppm")) + sorted(folder.glob("*/*.wav"))
    gone, broken = files[1], files[-1]
    gone.unlink()
    broken.write_bytes(b"no")
    findings = install_proposal(Paths(tmp_path), folder, None, "", force=True)
    assert not any(line.startswith("unusable") for line in usual)
    (told,) = (line for line in findings if line.startswith("unusable"))
    assert told.startswith(f"unusable: 2 {noun}s that rows of train name")
    assert f"'{gone.parent.name}/{gone.name}': no such file" in told
    assert f"'{broken.parent.name}/{broken.name}': " in told
    assert ("line 3: " in told) == (name == "captions")  # cells of CSV may have lines of their own
    assert load_settings(tmp_path / "params.yaml").model == settings.model
