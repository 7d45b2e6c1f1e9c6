from __future__ import annotations

from mlflow.entities import Metric, Run, RunData, RunInfo, RunTag

from seq2seq_core.tracking.runs.graph_summary import graph_description, graph_name


def stage(name: str, status: str = "FINISHED", seconds: float | None = 65.0, **tags: str) -> Run:
    end = None if seconds is None else int(1000 + seconds * 1000)
    info = RunInfo(name, "1", "me", status, 1000, end, "active")
    found = [RunTag(key, value) for key, value in {"stage": name, **tags}.items()]
    return Run(info, RunData([Metric("m", 1.0, 0, 0)], [], found))


def test_a_registered_model_is_named_with_its_decision_scores_and_stages() -> None:
    tags = {"decision": "champion", "decision_reason": "better than the champion: 0.9 against 0.8", "model_version": "3"}
    metrics = {"test_exact_match": 0.98765, "test_bleu": 88.0}
    assert graph_description([stage("train", why="a | b\nc"), stage("register", seconds=2)], metrics, tags) == (
        "Version **3** is **champion**: better than the champion: 0.9 against 0.8\n"
        "\n"
        "| exact_match | bleu |\n"
        "| --- | --- |\n"
        "| 0.9877 | 88 |\n"
        "\n"
        "| stage | | time | why |\n"
        "| --- | --- | --- | --- |\n"
        "| train | done | 1 min 05 s | a \\| b c |\n"
        "| register | done | 2 s |  |\n"
    )


def test_a_run_is_named_by_its_model_and_what_became_of_it() -> None:
    dates, decided = {"model_name": "dates"}, {"decision": "champion", "model_version": "3"}
    assert graph_name(dates, [stage("train"), stage("register")], decided) == "dates v3 champion"
    experiment = {**dates, "dvc_experiment": "narrow"}
    assert graph_name(experiment, [stage("register")], decided | {"decision": "experiment"}) == "dates v3 experiment narrow"
    assert graph_name(dates, [stage("prepare"), stage("train", "KILLED")], {}) == "dates stopped: train"
    assert graph_name(dates, [stage("prepare", "FAILED")], {}) == "dates failed: prepare"
    assert graph_name(dates, [stage("prepare"), stage("train", "FAILED"), stage("train")], {}) == "dates prepare, train done"
    assert graph_name(dates, [], {}) == "dates up to date"


def test_a_failed_stage_is_named_with_its_failure() -> None:
    runs = [stage("prepare"), stage("train", "FAILED", failure="UserError: too small\nmore")]
    assert graph_description(runs, {}, {}).startswith(
        "Stage **train** failed:\n\n```text\nUserError: too small\nmore\n```\n\n| stage |"
    )


def test_a_stopped_stage_is_named() -> None:
    text = graph_description([stage("train", "KILLED", seconds=None)], {}, {})
    assert text.startswith("Stage **train** was stopped.\n")
    assert "| train | **stopped** | ? |" in text


def test_a_failure_that_a_retry_mended_is_not_the_outcome() -> None:
    assert graph_description([stage("train", "FAILED"), stage("train")], {}, {}).startswith("Ran: train, train.\n")
