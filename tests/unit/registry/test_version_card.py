from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.config_file import read_config
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus_import.source_record import SourceRecord, write_record
from seq2seq_core.model_card import collection
from seq2seq_core.model_card.facts import CardFacts
from seq2seq_core.model_card.origin import read_origin
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.registry import promotion
from seq2seq_core.registry.moves import promote_version, read_history
from seq2seq_core.registry.registration import register_bundle
from seq2seq_core.registry.version_card import make_card
from seq2seq_core.registry.versions import find_number, logged_model_id
from seq2seq_core.stages.evaluate import run_evaluate
from seq2seq_core.tracking.mlflow.store import connect

pytestmark = pytest.mark.usefixtures("light_registration")

EVIL = "<script>alert(1)</script> | x"


def version_of(paths: Paths, number: str) -> Any:
    found = find_number(connect(paths), "dates", number)
    assert found is not None
    return found


def card_folder(paths: Paths, number: str) -> Path:
    model = connect(paths).get_logged_model(logged_model_id(version_of(paths, number)) or "")
    return Path(str(model.artifact_location).removeprefix("file://"))


def read_facts(paths: Paths, number: str) -> CardFacts:
    return CardFacts.model_validate_json((card_folder(paths, number) / "model_card.json").read_text(encoding="utf-8"))


def write_reports(paths: Paths) -> None:
    """Reports of a training, with hostile texts, and the record of an import."""
    paths.prepare_report.parent.mkdir(exist_ok=True)
    corpus = {"path": "data/raw/books", "files": {"train": ["train.tsv"]}}
    lock = {"stages": {"prepare": {"cmd": "s2s prepare", "params": {"params.yaml": {"corpus": corpus}}}}}
    (paths.root / "dvc.lock").write_text(json.dumps(lock))
    record = SourceRecord(
        kind="opus", source="OPUS Books, de and en", version="v1", licence=EVIL, command="", request={}, downloads=[], files={}
    )
    (paths.root / "data" / "raw" / "books").mkdir(parents=True, exist_ok=True)
    write_record(record, paths.root / "data" / "raw" / "books")
    split = {
        "rows_in": 9,
        "dropped": {"empty": 2},
        "carved": {},
        "rows_out": 7,
        "source_characters": {"median": 5, "p99": 8, "max": 9},
    }
    paths.prepare_report.write_text(json.dumps({"train": split, "test": split}))
    contract = {"success": False, "statement": EVIL, "split": "train", "severity": "warning", "unexpected": 3}
    paths.validation_report.write_text(json.dumps({"results": [contract, {"success": True}]}))
    paths.train_report.write_text(json.dumps({"steps": 100, "end": EVIL, "best_dev_loss": 0.25}))
    paths.training_curve.write_text("step,train_loss,dev_loss,dev_score\n1,2.5,,\n2,1.5,1.25,0.5\n")
    paths.prepared_split("train").write_text(json.dumps({"source": "3 May", "target": "x"}) + "\n")


def test_a_version_has_a_card_with_its_decision_scores_and_origin(
    registered_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]
) -> None:
    make_bundle(registered_paths, 2, 0.75)
    write_reports(registered_paths)
    register_bundle(tracked_settings, registered_paths)
    facts = read_facts(registered_paths, "2")
    assert list(facts.decision.figures) == [
        "this version",
        "champion v1",
        "baseline: copy source",
        "baseline: memorise else copy",
        "baseline: nearest neighbour",
    ]
    own = facts.decision.figures["this version"]["exact_match"]
    assert own.value == 0.75
    assert own.low is not None
    assert own.high is not None
    assert own.low < 0.75 < own.high
    assert facts.decision.figures["champion v1"]["exact_match"].value == 0.5
    assert facts.origin is not None
    assert [(one.source, one.version, one.licence) for one in facts.origin.sources] == [("OPUS Books, de and en", "v1", EVIL)]
    assert "OPUS Books, de and en" in (card_folder(registered_paths, "2") / "model_card.html").read_text(encoding="utf-8")
    assert [point.dev_loss for point in facts.origin.curve] == [None, 1.25]
    assert facts.runtime is not None
    assert facts.runtime.milliseconds is not None
    for name in ("model_card.html", "model_card.md"):
        text = (card_folder(registered_paths, "2") / name).read_text(encoding="utf-8")
        assert "<script" not in text
        for part in ("dates, version 2", "Champion. Promoted", "0.75 ", "best dev loss", "dropped by empty", "wrong"):
            assert part in text
    description = str(version_of(registered_paths, "2").description)
    found = re.search(r"\(#/experiments/(\d+)/models/(m-[0-9a-f]+)/artifacts\)", description)
    assert found is not None
    assert found[2] == logged_model_id(version_of(registered_paths, "2"))
    assert len(version_of(registered_paths, "2").tags) <= 6


def test_cards_of_two_workspaces_differ_only_in_what_is_measured_or_named_by_the_registry(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None], tmp_path: Path, mlflow_template: Path
) -> None:
    other = Paths(tmp_path / "other")
    other.root.mkdir()
    shutil.copy(mlflow_template, other.mlflow_database)
    found = []
    for paths in (tracked_paths, other):
        make_bundle(paths)
        run_evaluate(tracked_settings, write_train(paths), NullRecorder())
        register_bundle(tracked_settings, paths)
        facts = read_facts(paths, "1")
        assert facts.answers is not None
        assert facts.answers.calibration is not None
        found.append(facts.model_copy(update={"runtime": None}))
    assert found[0] == found[1]


def write_train(paths: Paths) -> Paths:
    write_reports(paths)
    return paths


def test_missing_reports_leave_gaps(registered_paths: Paths) -> None:
    facts = read_facts(registered_paths, "1")
    assert facts.origin is not None
    assert (facts.origin.splits, facts.origin.curve, facts.origin.training) == ([], [], {})


@pytest.mark.parametrize("content", ["[", "[]", "null", '{"train": 1, "results": [3]}', "step,train_loss\n1\n"])
def test_damaged_reports_leave_gaps(content: str, tmp_path: Path, tracked_settings: Settings, registered_template: Path) -> None:
    paths = Paths(tmp_path)
    paths.prepare_report.parent.mkdir()
    for file in (paths.validation_report, paths.prepare_report, paths.train_report, paths.tokenize_report, paths.training_curve):
        file.write_text(content)
    origin = read_origin(tracked_settings, paths, read_config(Paths(registered_template).served), {})
    assert (origin.splits, origin.breaches, origin.training, origin.unknown) == ([], [], {}, {})
    assert [point for point in origin.curve if point.train_loss or point.dev_loss] == []


def test_a_version_is_registered_without_a_card_where_none_can_be_made(
    tracked_paths: Paths,
    tracked_settings: Settings,
    make_bundle: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(bundle: Path) -> int:
        raise TypeError("no such thing")

    monkeypatch.setattr(collection, "count_parameters", fail)
    make_bundle(tracked_paths)
    assert register_bundle(tracked_settings, tracked_paths).receipt.decision == "champion"
    assert "version 1 of 'dates' has no model card: no such thing" in caplog.text
    assert "Model card" not in str(version_of(tracked_paths, "1").description)


def test_a_registration_that_died_before_the_card_is_completed_by_the_next(
    registered_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """The writer dies here."""

    def die(*_: object) -> dict[str, str]:
        raise Killed

    make_bundle(registered_paths, 2, 0.525)
    monkeypatch.setattr(promotion, "make_card", die)
    with pytest.raises(Killed):
        register_bundle(tracked_settings, registered_paths)
    monkeypatch.setattr(promotion, "make_card", make_card)
    receipt = register_bundle(tracked_settings, registered_paths).receipt
    facts = read_facts(registered_paths, "2")
    assert (facts.decision.reason, facts.decision.look, facts.decision.champion) == (receipt.reason, 2, "1")
    assert len(read_history("dates", registered_paths)) == 2


def test_a_later_decision_keeps_what_the_training_workspace_knew(
    tracked_paths: Paths, make_settings: Callable[..., Settings], make_bundle: Callable[..., None]
) -> None:
    make_bundle(tracked_paths, 1, None)
    write_reports(tracked_paths)
    register_bundle(make_settings({"minimum_score": 0.5, "gate": {"minimum_rows": 4, "baselines": False}}), tracked_paths)
    make_bundle(tracked_paths, 2, 0.5)
    for report in (tracked_paths.train_report, tracked_paths.training_curve):
        report.unlink()
    promote_version("1", make_settings({"gate": {"minimum_rows": 4, "baselines": False}}), tracked_paths, False)
    facts = read_facts(tracked_paths, "1")
    assert facts.decision.verdict == "champion"
    assert facts.origin is not None
    assert facts.origin.training["best dev loss"] == "0.25"
