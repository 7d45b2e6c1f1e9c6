"""From dev to an answer that is withheld: export fits the confidence, evaluate checks it, ``s2s predict`` abstains by it."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.bundle.config_file import read_config
from seq2seq_core.cli.main import app
from seq2seq_core.config.settings import Settings
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import BundleError
from seq2seq_core.evaluation.confidence.calibrator_fit import fit_calibrator
from seq2seq_core.model_card.blocks import Page
from seq2seq_core.model_card.confidence_section import confidence_section, read_confidence
from seq2seq_core.model_card.facts import Answers
from seq2seq_core.model_card.html_page import to_html
from seq2seq_core.model_card.markdown_page import to_markdown
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.evaluate import run_evaluate
from seq2seq_core.stages.export import run_export

OPTIONS = {"beam_size": 2, "max_length": 6}
MakeSettings = Callable[..., Settings]


def write_pairs(path: Path, pairs: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, make_bundle: Callable[..., None]) -> Paths:
    """A bundle of random weights, and a dev and a test set in which two of three references are what it answers."""
    paths = Paths(tmp_path_factory.mktemp("confidence"))
    make_bundle(paths)
    sources = [f"{day} May {year}" for day in range(1, 29) for year in range(2031, 2037)]
    predictor = Predictor.from_folder(paths.bundle)
    answers = predictor.predict(sources, predictor.options.override(**OPTIONS))
    pairs = [
        {"source": source, "target": one.text if place % 3 else "2031-05-03"}
        for place, (source, one) in enumerate(zip(sources, answers, strict=True))
    ]
    write_pairs(paths.prepared_split("train"), pairs[:3])
    write_pairs(paths.prepared_split("dev"), pairs[::2])
    write_pairs(paths.prepared_split("test"), pairs[1::2])
    return paths


@pytest.fixture
def paths(workspace: Paths, tmp_path: Path) -> Paths:
    shutil.copytree(workspace.root, tmp_path, dirs_exist_ok=True)
    return Paths(tmp_path)


def predict(paths: Paths, *words: str) -> Result:
    sources = b"3 May 2031\n\n4 May 2032\n"
    return CliRunner().invoke(app, ["predict", "--model", str(paths.served), "--device", "cpu", *words], input=sources)


def test_export_fits_on_dev_evaluate_checks_on_test_and_predict_abstains(paths: Paths, make_settings: MakeSettings) -> None:
    settings = make_settings(evaluate=OPTIONS)
    run_export(settings, paths, NullRecorder())
    run_evaluate(settings, paths, NullRecorder())
    calibrator = read_config(paths.served).calibrator
    assert calibrator is not None
    assert (calibrator.event, calibrator.rows) == ("exact_match", 84)
    assert 50 < calibrator.right < 60

    predictor = Predictor.from_folder(paths.served)
    pairs = [json.loads(line) for line in paths.prepared_split("dev").read_text().splitlines()]
    answers = [one.hypotheses[0] for one in predictor.predict([pair["source"] for pair in pairs])]
    assert calibrator == fit_calibrator(answers, [pair["target"] for pair in pairs], "exact_match", 60.0)

    report = json.loads((paths.evaluation / "confidence.json").read_text())
    assert report["dev"] == {"event": "exact_match", "min_chrf": 0.0, "rows": 84, "right": calibrator.right}
    assert (report["rows"], len(report["bins"])) == (84, 10)
    metrics = json.loads(paths.metrics.read_text())
    assert metrics["confidence"] == {"calibration_error": report["calibration_error"]["value"]}
    assert report["calibration_error"]["value"] < 0.25  # 84 rows of a random model: chance alone gives 0.1 to 0.2
    rows = [json.loads(line) for line in (paths.evaluation / "predictions.jsonl").read_text().splitlines()]
    assert len({row["confidence"] for row in rows}) > 20
    assert sum(row["confidence"] for row in rows) / len(rows) == pytest.approx(report["mean_confidence"], abs=1e-4)

    free = [json.loads(line) for line in predict(paths, "--json").stdout.splitlines()]
    assert [row["abstained"] for row in free] == [False] * 3
    assert free[1]["confidence"] is None
    between = (free[0]["confidence"] + free[2]["confidence"]) / 2
    result = predict(paths, "--json", "--min-confidence", str(between))
    assert result.exit_code == 0
    low = 0 if free[0]["confidence"] < between else 2
    withheld = [free[place] | {"prediction": "", "abstained": True} if place in (1, low) else free[place] for place in range(3)]
    assert [json.loads(line) for line in result.stdout.splitlines()] == withheld
    assert "2 of 3 answers are withheld (empty), the first of line" in result.stderr
    plain = predict(paths, "--min-confidence", "1.0")
    assert (plain.exit_code, plain.stdout) == (0, "\n\n\n")


def test_bulk_prediction_withholds_the_same_answers(paths: Paths, make_settings: MakeSettings) -> None:
    run_export(make_settings(evaluate=OPTIONS), paths, NullRecorder())
    sources = [f"{day} May 2031" for day in range(1, 20)]
    expected = Predictor.from_folder(paths.served).predict(sources)
    threshold = sorted(one.confidence or 0.0 for one in expected)[9] - 1e-6
    (paths.root / "in.jsonl").write_text("".join(json.dumps({"source": source}) + "\n" for source in [*sources, ""]))
    words = ["--model", str(paths.served), "--device", "cpu", "--workers", "1", "--min-confidence", str(threshold)]
    result = CliRunner().invoke(app, ["predict", str(paths.root / "in.jsonl"), "--into", str(paths.root / "out"), *words])
    assert result.exit_code == 0, result.stderr
    rows = [json.loads(line) for line in (paths.root / "out" / "in-00000.jsonl").read_text().splitlines()]
    assert [row["prediction_abstained"] for row in rows] == [(one.confidence or 0.0) < threshold for one in expected] + [True]
    kept = ["" if row["prediction_abstained"] else one.text for row, one in zip(rows, expected, strict=False)]
    assert [row["prediction"] for row in rows] == [*kept, ""]
    assert any(kept)
    assert [row["prediction_confidence"] for row in rows[:-1]] == pytest.approx([one.confidence for one in expected], abs=1e-4)
    assert rows[-1]["prediction_confidence"] is None


def test_the_same_dev_gives_the_same_bundle_whatever_test_holds(paths: Paths, make_settings: MakeSettings) -> None:
    settings = make_settings(evaluate=OPTIONS)
    run_export(settings, paths, NullRecorder())
    first = bundle_digest(paths.served)
    paths.prepared_split("test").unlink()
    run_export(settings, paths, NullRecorder())
    assert bundle_digest(paths.served) == first
    write_pairs(paths.prepared_split("dev"), [{"source": f"{day} May 2031", "target": "x"} for day in range(1, 60)])
    run_export(settings, paths, NullRecorder())
    assert bundle_digest(paths.served) != first


@pytest.mark.parametrize(
    "choice",
    [
        {"confidence_event": "none"},
        {"confidence_rows": 60, "rows": 40},
        {"confidence_event": "chrf", "confidence_chrf": 1e-3},
    ],
    ids=str,
)
def test_a_bundle_without_a_calibrator_works_as_before_and_refuses_a_threshold(
    choice: dict[str, Any], paths: Paths, make_settings: MakeSettings
) -> None:
    if rows := choice.get("rows"):
        lines = paths.prepared_split("dev").read_text().splitlines(keepends=True)
        paths.prepared_split("dev").write_text("".join(lines[:rows]))
    settings = make_settings(evaluate=OPTIONS | {name: value for name, value in choice.items() if name != "rows"})
    run_export(settings, paths, NullRecorder())
    run_evaluate(settings, paths, NullRecorder())
    assert "calibrator" not in json.loads((paths.served / "config.json").read_text())
    assert not (paths.evaluation / "confidence.json").exists()
    assert "confidence" not in json.loads(paths.metrics.read_text())
    plain = json.loads(predict(paths, "--json").stdout.splitlines()[0])
    assert plain.keys() == {"line", "prediction", "score", "is_cut", "source_is_cut"}
    result = predict(paths, "--min-confidence", "0.5")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--min-confidence: must be 0 with this model, which has no calibrator" in re.sub(r"\s+", " ", result.stderr)


def test_a_confidence_of_another_event_than_that_of_the_settings_is_told(
    paths: Paths, make_settings: MakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    run_export(make_settings(evaluate=OPTIONS), paths, NullRecorder())
    told = f"the confidence is that of {paths.served} (exact_match), not that of the section evaluate; `s2s export` fits it anew"
    for event, expected in (("exact_match", []), ("chrf", [told])):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "seq2seq_core.stages.evaluating.evaluation_notices"):
            run_evaluate(make_settings(evaluate=OPTIONS | {"confidence_event": event}), paths, NullRecorder())
        assert [message for message in caplog.messages if "confidence" in message] == expected


def test_a_threshold_and_samples_do_not_go_together(paths: Paths) -> None:
    result = predict(paths, "--sample", "--min-confidence", "0.5")
    assert result.exit_code == 2
    assert "--min-confidence: must be left out with --sample and --mbr, got 0.5" in result.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("intercept", 1e300), ("weights", {"doubt": 1e7}), ("weights", {"other": 1.0}), ("right", 85), ("rows", 0),
        ("intercept", "1.0"), ("intercept", True), ("weights", {"doubt": "1.0"}), ("weights", {"doubt": True}), ("rows", "84"),
        ("rows", 84.0), ("promises", [{"max_error": "0.1", "min_confidence": 0.5, "answered": 0.9, "error": 0.05}]),
    ],
)  # fmt: skip
def test_a_calibrator_of_other_numbers_is_refused(name: str, value: Any, paths: Paths, make_settings: MakeSettings) -> None:
    run_export(make_settings(evaluate=OPTIONS), paths, NullRecorder())
    content = json.loads((paths.served / "config.json").read_text())
    content["calibrator"][name] = value
    (paths.served / "config.json").write_text(json.dumps(content))
    with pytest.raises(BundleError, match=r"calibrator"):
        Predictor.from_folder(paths.served)


def test_the_card_shows_the_error_the_plot_and_the_promises(paths: Paths, make_settings: MakeSettings) -> None:
    settings = make_settings(evaluate=OPTIONS)
    run_export(settings, paths, NullRecorder())
    run_evaluate(settings, paths, NullRecorder())
    found = read_confidence(paths)
    assert found is not None
    answers = Answers(
        test_set="t", rows=84, wrong=28, is_cut=0, empty=0, slices=[], worst=[], calibration=None, confidence=found, example=None
    )
    section = confidence_section(answers, "exact_match")
    assert section.title == "Confidence"
    page = Page("Card", [], [section])
    shown, text = to_html(page), to_markdown(page)
    assert shown.count("<circle") == 10
    assert "equals its reference, fitted on 84 rows of dev" in text
    assert f"is {found.calibration_error.value:.3f} (95 % interval" in text
    for one in found.promises:
        assert f"| {one.max_error:.1%} | {one.min_confidence:g} |" in text
    assert bool(found.promises) == ("Thresholds" in text)
    assert confidence_section(None, "exact_match").blocks == []


def test_a_calibrator_belongs_to_an_export_alone(paths: Paths, make_settings: MakeSettings) -> None:
    run_export(make_settings(evaluate=OPTIONS), paths, NullRecorder())
    content = json.loads((paths.served / "config.json").read_text())
    content["trained_digest"] = None
    (paths.served / "config.json").write_text(json.dumps(content))
    with pytest.raises(BundleError, match="calibrator must be left out of a bundle that is not an export"):
        Predictor.from_folder(paths.served)
