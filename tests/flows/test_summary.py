from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flows.graph.stage_execution import StageReport
from flows.graph.stage_failure import StageFailed
from flows.reports.run_page import to_markdown, to_table
from flows.reports.score_table import ScoreRow, compare_scores, read_metrics
from flows.reports.summary import RetrainSummary, read_receipt
from flows.reports.webhook import notify, to_body
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.runtime import NotifySettings
from seq2seq_core.errors import Interrupted
from seq2seq_core.registry.receipts import Receipt

from .webhook_server import webhook_server

FLOW_RUN = {"id": "12-34", "name": "brave-otter", "url": "http://prefect/runs/12-34"}
RECEIPT = Receipt(
    registry="sqlite:///mlflow.db", model_name="dates", version="3", bundle_digest="ab", decision="champion",
    reason="better than the champion: exact_match 0.99 against 0.97 of version 2", metric="exact_match", score=0.99,
    champion_version="2", champion_score=0.97, test_digest="cd", policy_digest="ef",
)  # fmt: skip
DONE = RetrainSummary(
    stages=(
        StageReport("prepare", "cached", reason="up to date"),
        StageReport("train", "ran", 3725.0, "params.yaml train.seed modified", 2),
        StageReport("register", "ran", 4.2, "train ran", 1),
    ),
    seconds=3731.0,
    data_changes=("data/raw/dates.dvc: unchanged (3 files)",),
    notes=("dvc push: 2 files pushed",),
    metrics={"test.exact_match": 0.99, "test.bleu": 98.7654},
    receipt=RECEIPT,
    is_promotion=True,
    scores=(ScoreRow("exact_match", 0.99, 0.97, 0.0, "copy_source"), ScoreRow("bleu", 98.7654)),
    links={"MLflow run": "http://mlflow/#/runs/1", "Data Docs": "/w/.s2s/data_docs/index.html"},
)
FAULT = StageFailed("train", "data/x.tsv:7: has 2 columns | expected 3", "user_fault", 2, False)
FAILED = RetrainSummary(
    stages=(StageReport("train", "failed", 3.0, str(FAULT), 1), StageReport("register", "not run", reason="train did not succeed")),
    failure=FAULT,
    seconds=5.0,
)


def test_a_terminal_gets_a_line_for_each_stage_and_the_decision() -> None:
    assert DONE.describe().splitlines() == [
        "  prepare   skipped                up to date",
        "  train     ran        1 h 02 min  params.yaml train.seed modified",
        "  register  ran               4 s  train ran",
        "  test metric  this model  champion v2  best baseline",
        "  exact_match        0.99         0.97              0  copy source",
        "  bleu              98.77",
        "  data: data/raw/dates.dvc: unchanged (3 files)",
        "  note: dvc push: 2 files pushed",
        "2 of 3 stages ran; dates version 3 is champion: better than the champion: exact_match 0.99 against 0.97 of version 2"
        " (1 h 02 min)",
    ]
    assert FAILED.describe().splitlines() == [
        "  train     FAILED            3 s",
        "  register  not run                train did not succeed",
    ]


def test_the_report_of_a_success_has_everything() -> None:
    assert to_markdown(DONE) == (
        "# Retrain: done in 1 h 02 min\n\n"
        "2 of 3 stages ran; dates version 3 is champion: better than the champion: exact\\_match 0.99 against 0.97 of version 2\n\n"
        "## Stages\n\n"
        "| stage | | time | why |\n| --- | --- | ---: | --- |\n"
        "| prepare | ⏭️ skipped |  | up to date |\n"
        "| train | ✅ ran (2 attempts) | 1 h 02 min | params.yaml train.seed modified |\n"
        "| register | ✅ ran | 4 s | train ran |\n\n"
        "## Scores\n\n"
        "| test metric | this model | champion v2 | best baseline |  |\n| --- | ---: | ---: | ---: | --- |\n"
        "| exact\\_match | 0.99 | 0.97 | 0 | copy source |\n| bleu | 98.77 |  |  |  |\n\n"
        "## Decision\n\ndates version 3 is champion: better than the champion: exact\\_match 0.99 against 0.97 of version 2 "
        "(`models:/dates@champion`)\n\n"
        "## Data\n\n- data/raw/dates.dvc: unchanged (3 files)\n\n"
        "## Notes\n\n- dvc push: 2 files pushed\n\n"
        "## Links\n\n- MLflow run: <http://mlflow/#/runs/1>\n- Data Docs: `/w/.s2s/data_docs/index.html`\n"
    )


def test_the_report_of_a_failure_has_the_message_as_it_is() -> None:
    assert to_markdown(FAILED) == (
        "# Retrain: failed after 5 s\n\n```text\ndata/x.tsv:7: has 2 columns | expected 3\n```\n\n"
        "## Stages\n\n"
        "| stage | | time | why |\n| --- | --- | ---: | --- |\n"
        "| train | ❌ FAILED | 3 s |  |\n"
        "| register | ▫️ not run |  | train did not succeed |\n"
    )
    assert to_table(FAILED)[0] == {
        "stage": "train", "state": "failed", "seconds": 3.0, "attempts": 1, "reason": "data/x.tsv:7: has 2 columns | expected 3",
    }  # fmt: skip
    assert "No stage was started." in to_markdown(RetrainSummary(failure=FAULT))


def test_each_trouble_is_told_once() -> None:
    other = StageFailed("lexicon", "lexicon.tsv: no such file", "user_fault", 2, False)
    blocked = "train did not succeed"
    stages = (
        StageReport("code", "ran", 1.0),
        StageReport("train", "failed", 3.0, str(FAULT), 1),
        StageReport("lexicon", "failed", 1.0, str(other), 1),
        *(StageReport(name, "not run", reason=blocked) for name in ("export", "evaluate", "register")),
    )
    told = [report.reason for report in RetrainSummary(stages, failure=FAULT).told_stages()]
    assert told == ["", "", "lexicon.tsv: no such file", blocked, "", ""]


def test_the_stage_that_always_runs_is_not_counted() -> None:
    code, train = StageReport("code", "ran", 1.0), StageReport("train", "cached")
    assert RetrainSummary((code, train)).headline() == "nothing to do: all 1 stages are up to date"
    assert RetrainSummary((code, replace(train, state="ran"))).headline() == "1 of 1 stages ran"


def test_scores_stand_beside_those_of_the_champion_and_of_the_best_baseline(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert compare_scores(paths, RECEIPT) == ()
    paths.evaluation.mkdir(parents=True)
    paths.metrics.write_text('{"test": {"exact_match": 1, "cer": 0.25, "bleu": 9.0}, "counts": {"pairs": 4}}')
    baselines = {"copy_source": {"exact_match": 0.5, "cer": 0.4}, "memorise": {"exact_match": 0.25, "cer": 0.3}}
    paths.evaluation_scores.write_text(json.dumps({"test": {}, "baselines": baselines}))
    assert compare_scores(paths, replace(RECEIPT, champion_scores={"cer": 0.5})) == (
        ScoreRow("exact_match", 1.0, 0.97, 0.5, "copy_source"),
        ScoreRow("cer", 0.25, 0.5, 0.3, "memorise"),
        ScoreRow("bleu", 9.0),
    )


def test_a_promotion_is_one_only_when_this_run_made_it() -> None:
    assert DONE.events == ("promotion", "success")
    again = replace(DONE, is_promotion=False)  # the model of an earlier run came back, and was registered already
    assert again.events == ("success",)
    assert again.decision() == "dates version 3 is still champion"
    challenger = replace(again, receipt=replace(RECEIPT, decision="challenger", reason="no better"))
    assert challenger.decision() == "dates version 3 is challenger: no better"
    assert FAILED.events == ("failure",)
    assert replace(FAILED, failure=Interrupted("stopped")).events == ()


def test_metrics_are_read_flat_and_the_receipt_whole(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert (read_metrics(paths), read_receipt(paths)) == ({}, None)
    paths.metrics.parent.mkdir()
    paths.metrics.write_text('{"test": {"exact_match": 1, "by": {"de": 0.5}, "name": "x", "ok": true, "bad": NaN}}')
    paths.receipt.write_text(RECEIPT.to_json())
    assert read_metrics(paths) == {"test.exact_match": 1.0, "test.by.de": 0.5}
    assert read_receipt(paths) == RECEIPT
    paths.receipt.write_text("{}")
    assert read_receipt(paths) is None


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[Any]]]:
    """An address that keeps what it is told, and refuses what is posted to ``/no``."""
    with webhook_server() as server:
        yield server


def test_the_webhook_hears_what_it_asked_for(webhook: tuple[str, list[Any]], caplog: pytest.LogCaptureFixture) -> None:
    url, heard = webhook
    logger = logging.getLogger("test")
    assert notify(NotifySettings(webhook_url=url), DONE, FLOW_RUN, logger) == ["promotion"]
    assert notify(NotifySettings(webhook_url=url, on=["success"]), FAILED, FLOW_RUN, logger) == []
    assert notify(NotifySettings(webhook_url=url), FAILED, FLOW_RUN, logger) == ["failure"]
    assert heard == [to_body("promotion", DONE, FLOW_RUN), to_body("failure", FAILED, FLOW_RUN)]
    assert heard[0]["model"] == {"name": "dates", "version": "3", "alias": "champion", "reason": RECEIPT.reason}
    assert heard[1]["failure"] == {"kind": "user_fault", "message": "data/x.tsv:7: has 2 columns | expected 3"}
    assert heard[1]["text"] == "brave-otter: failure: data/x.tsv:7: has 2 columns | expected 3"
    assert heard[1]["flow_run"] == FLOW_RUN
    assert caplog.messages == []


def test_a_webhook_that_cannot_be_told_is_a_warning_that_hides_its_address(
    webhook: tuple[str, list[Any]], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("test")
    monkeypatch.setenv("S2S_WEBHOOK_URL", f"{webhook[0]}/no?token=secret")
    assert notify(NotifySettings(), FAILED, FLOW_RUN, logger) == []
    monkeypatch.setenv("S2S_WEBHOOK_URL", "http://127.0.0.1:9/?token=secret")
    assert notify(NotifySettings(timeout_seconds=2.0), FAILED, FLOW_RUN, logger) == []
    assert caplog.messages[0] == "the webhook at 127.0.0.1 could not be told of the failure: it answered 403 Forbidden"
    assert caplog.messages[1].startswith("the webhook at 127.0.0.1 could not be told of the failure: ConnectError: ")
    assert "secret" not in caplog.text
    monkeypatch.delenv("S2S_WEBHOOK_URL")
    assert notify(NotifySettings(), FAILED, FLOW_RUN, logger) == []
