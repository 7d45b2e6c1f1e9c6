from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.errors import MissingInput
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages import register
from seq2seq_core.stages.register import run_register
from seq2seq_core.tracking.mlflow.store import connect
from seq2seq_core.tracking.session import open_stage_recorder
from tests.unit.conftest import write_evaluation_of

pytestmark = pytest.mark.usefixtures("light_registration")


def test_the_stage_registers_leaves_a_receipt_and_records_its_evidence(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]
) -> None:
    make_bundle(tracked_paths)
    with open_stage_recorder("register", tracked_settings, tracked_paths) as recorder:
        result = run_register(tracked_settings, tracked_paths, recorder)
    assert (result.version, result.is_new, result.decision, result.score) == ("1", True, "champion", 0.5)
    receipt = json.loads(tracked_paths.receipt.read_text())
    assert list(receipt) == [
        "registry", "model_name", "version", "bundle_digest", "decision", "reason", "metric", "score", "champion_version",
        "champion_score", "test_digest", "policy_digest", "champion_scores", "figures",
    ]  # fmt: skip
    client = connect(tracked_paths)
    (experiment,) = [found.experiment_id for found in client.search_experiments() if found.name == "seq2seq-flows"]
    runs = {run.data.tags["kind"]: run for run in client.search_runs([experiment])}
    assert runs["stage"].data.metrics == runs["graph"].data.metrics == {"test_exact_match": 0.5}
    for run in runs.values():
        assert (run.data.tags["decision"], run.data.tags["model_version"]) == ("champion", "1")
    assert runs["graph"].data.tags["mlflow.note.content"].startswith("Version **1** is **champion**: Promoted: exact_match 0.5")


def test_running_the_stage_again_changes_no_byte_of_the_receipt(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]
) -> None:
    make_bundle(tracked_paths)
    run_register(tracked_settings, tracked_paths, NullRecorder())
    before = tracked_paths.receipt.read_bytes()
    tracked_paths.receipt.unlink()
    result = run_register(tracked_settings, tracked_paths, NullRecorder())
    assert not result.is_new
    assert tracked_paths.receipt.read_bytes() == before


@pytest.mark.parametrize(("tokenizer", "is_warned"), [("13a", True), ("zh", False)])
def test_a_metric_of_promotion_that_cannot_tell_versions_apart_is_warned_of(
    tracked_paths: Paths,
    tracked_settings: Settings,
    make_bundle: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    tokenizer: str,
    is_warned: bool,
) -> None:
    make_bundle(tracked_paths)
    pair = {"source": "We are Chinese.", "target": "我们是中国人。"}
    tracked_paths.prepared_split("test").write_text(json.dumps(pair) + "\n", encoding="utf-8")
    write_evaluation_of(tracked_paths, [pair], 0.0, ["bleu"], tokenizer)
    sections = {
        "register_": tracked_settings.register_.model_copy(update={"metric": "bleu"}),
        "evaluate": tracked_settings.evaluate.model_copy(update={"bleu_tokenizer": tokenizer}),
    }
    run_register(tracked_settings.model_copy(update=sections), tracked_paths, NullRecorder())
    message = (
        "register.metric bleu gives even the targets themselves its worst score, 0: a better version is not told from a worse one. "
        "Set evaluate.bleu_tokenizer or register.metric: bleu by the tokeniser zh, bleu by the tokeniser char, chrf, cer"
    )
    assert (message in caplog.messages) == is_warned


def test_a_failure_of_the_look_at_the_metric_is_only_a_warning(
    tracked_paths: Paths,
    tracked_settings: Settings,
    make_bundle: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*arguments: object) -> str:
        raise ModuleNotFoundError("No module named 'rouge_score'")

    make_bundle(tracked_paths)
    monkeypatch.setattr(register, "explain_insensitivity", fail)
    result = run_register(tracked_settings, tracked_paths, NullRecorder())
    assert json.loads(tracked_paths.receipt.read_text())["version"] == result.version
    name = tracked_settings.register_.metric
    assert f"could not check whether register.metric {name} tells versions apart: No module named 'rouge_score'" in caplog.messages


def test_the_look_at_the_metric_takes_the_pairs_that_were_scored(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def look(name: str, references: list[str], options: object) -> str:
        seen.append(references)
        return ""

    monkeypatch.setattr(register, "explain_insensitivity", look)
    make_bundle(tracked_paths)
    pairs = [{"source": text, "target": text} for text in "abc"]
    tracked_paths.prepared_split("test").write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    write_evaluation_of(tracked_paths, pairs[:2], 1.0)
    evaluate = tracked_settings.evaluate.model_copy(update={"test_limit": 2})
    run_register(tracked_settings.model_copy(update={"evaluate": evaluate}), tracked_paths, NullRecorder())
    assert seen == [["a", "b"]]


def test_a_failed_registration_leaves_no_receipt(
    tracked_paths: Paths, tracked_settings: Settings, make_bundle: Callable[..., None]
) -> None:
    make_bundle(tracked_paths)
    tracked_paths.metrics.unlink()
    with pytest.raises(MissingInput):
        run_register(tracked_settings, tracked_paths, NullRecorder())
    assert not tracked_paths.receipt.exists()
