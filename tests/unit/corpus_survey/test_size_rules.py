"""Sizes by the number of pairs: written as numbers by ``s2s configure --fit-sizes``, told by a retrain, changed by neither."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from flows.reports.summary import read_corpus_lines
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings, load_settings
from seq2seq_core.corpus_survey.choices.size_rules import nearer_file, size_note, sizes_for
from seq2seq_core.corpus_survey.proposed_settings import install_fitted, install_proposal
from seq2seq_core.corpus_survey.table_columns import LayoutChoice
from seq2seq_core.errors import UserError
from tests.made_corpora import write_lines

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
G2P = load_settings(CONFIGS / "g2p.yaml")


def make_words(folder: Path, rows: int) -> Path:
    words = [f"{first}{second}{third}" for first in "abcdefghij" for second in "klmnopqrst" for third in "uvwxyzabcd"]
    for split, count in (("train", rows), ("dev", 40), ("test", 40)):
        write_lines(folder / f"{split}.tsv", [f"{word}\t{' '.join(word.upper())}" for word in words[:count]])
    return folder


def fit(tmp_path: Path, rows: int, fits_sizes: bool, ready: str = "g2p") -> tuple[Settings, list[str]]:
    paths = Paths(tmp_path / f"workspace-{rows}-{fits_sizes}")
    paths.root.mkdir()
    folder = make_words(paths.root / "words", rows)
    findings = install_fitted(CONFIGS / f"{ready}.yaml", paths, folder, None, False, fits_sizes=fits_sizes)
    return load_settings(paths.params), findings


def test_the_sizes_follow_from_more_rows_by_the_stated_rules() -> None:
    sizes = sizes_for(G2P, 4 * 3600)
    train = {"max_steps": 5000, "batch_tokens": 4100, "warmup_steps": 400, "validate_every_steps": 400, "sized_for_pairs": 14400}
    assert sizes == {"model": {"dropout": 0.2}, "train": train}


def test_a_smaller_train_set_is_trained_as_long(tmp_path: Path) -> None:
    settings, findings = fit(tmp_path, 900, fits_sizes=True)  # a quarter of 3,600
    assert settings.model_dump(exclude={"corpus"}) == G2P.model_dump(exclude={"corpus"})  # so that it can grow back
    assert findings[-2] == "sizes: for 900 rows of train instead of 3,600: as they are"
    assert "g2p_small.yaml is for about 800 pairs" in findings[-1]


@pytest.mark.parametrize(
    ("pairs", "width", "dropout"),
    [
        (3600 // 16, 256, 0.3),
        (3600, 256, 0.3),
        (3600 * 4, 256, 0.2),
        (3600 * 4 + 1, 512, 0.2),
        (3600 * 63, 512, 0.1),
        (3600 * 64, 1024, 0.1),
        (3600 * 4096, 1024, 0.1),
    ],
)
def test_width_and_dropout_have_bounds_and_stay_at_the_same_size(pairs: int, width: int, dropout: float) -> None:
    model = sizes_for(G2P, pairs)["model"]
    assert (model.get("width", 256), model.get("dropout", 0.3)) == (width, dropout)
    assert (sizes_for(G2P, pairs) == {"model": {}, "train": {}}) == (pairs <= 3600)


def test_without_the_flag_the_file_stays_and_a_nearer_one_is_named(tmp_path: Path) -> None:
    settings, findings = fit(tmp_path, 900, fits_sizes=False)
    assert (settings.model, settings.train) == (G2P.model, G2P.train)
    assert findings[-1].startswith(
        f"{CONFIGS / 'g2p_small.yaml'} is for about 800 pairs of train, which is nearer to these 900 rows"
    )
    assert nearer_file(CONFIGS / "g2p.yaml", G2P, 3000) == ""
    assert nearer_file(CONFIGS / "g2p_small.yaml", load_settings(CONFIGS / "g2p_small.yaml"), 900) == ""


def test_a_file_beside_it_that_is_not_finished_hides_no_other(tmp_path: Path) -> None:
    for name in ("g2p", "g2p_small"):
        shutil.copy(CONFIGS / f"{name}.yaml", tmp_path)
    (tmp_path / "g2p_mine.yaml").write_text("model: {width: -1}\n")
    assert "g2p_small.yaml is for about 800 pairs" in nearer_file(tmp_path / "g2p.yaml", G2P, 900)


def test_other_sizes_are_told_where_train_is_far_larger() -> None:
    assert "are for 3,600 pairs of train, which has 9,000 rows" in size_note(G2P, 9000)
    assert "train.max_steps 4000" in size_note(G2P, 9000)
    assert size_note(G2P, 900) == size_note(G2P, 2000) == size_note(G2P, 7000) == ""


def test_a_file_with_several_phases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--fit-sizes: must be left out with .*: train.sized_for_pairs does not say"):
        fit(tmp_path, 100, fits_sizes=True, ready="normalisation")


def test_a_proposal_says_for_how_many_rows_it_is(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "workspace")
    paths.root.mkdir()
    install_proposal(paths, make_words(tmp_path / "words", 300), None, "", False, LayoutChoice(header=False))
    assert load_settings(paths.params).train.sized_for_pairs == 300


def test_a_retrain_tells_that_the_corpus_has_outgrown_its_settings_and_changes_nothing(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.prepare_report.parent.mkdir()
    told = []
    for rows in (4000, 9000):
        funnel = {"rows_in": rows, "dropped": {"leakage": 0}, "carved": {}}
        paths.prepare_report.write_text(json.dumps({"train": funnel}))
        told.append(read_corpus_lines(paths, G2P, ["prepare", "evaluate"]))
    assert told[0] == []
    assert len(told[1]) == 1
    assert "which has 9,000 rows" in told[1][0]
    assert read_corpus_lines(paths, G2P, []) == []
