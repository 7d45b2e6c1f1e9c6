"""The flow ``score`` on a real Prefect server, with a registered model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from seq2seq_core.artifacts import Paths
from seq2seq_core.errors import UserError
from seq2seq_core.tokenization.manifest import file_digest
from tests.flows.webhook_server import webhook_server

from .conftest import select

pytestmark = pytest.mark.slow
ROWS = 30


@pytest.fixture(scope="module")
def prefect_api(tmp_path_factory: pytest.TempPathFactory, prefect_template: Path) -> Iterator[str]:
    """The address of one Prefect server for the tests of this file in this process; it ends behind them."""
    from tests.prefect_server import serve_prefect

    with serve_prefect(tmp_path_factory.mktemp("prefect"), prefect_template) as url:
        yield url


@pytest.fixture
def heard(registered_paths: Paths) -> Iterator[list[Any]]:
    """What a webhook is told of the runs in a workspace that has an input."""
    paths = registered_paths
    (paths.root / "dvc.yaml").write_text("stages: {}\n")
    with webhook_server() as (url, told):
        flow = {"notify": {"webhook_url": url, "on": ["success", "failure"]}}
        values = {
            "corpus": {"path": "x", "files": {"train": ["x.tsv"]}},
            "register": {"model_name": "dates"},
            "runtime": {"device": "cpu", "flow": flow},
        }
        paths.params.write_text(yaml.safe_dump(values))
        (paths.root / "tickets").mkdir()
        duckdb.sql(
            f"COPY (SELECT range AS id, range || ' May 2031' AS text FROM range({ROWS})) TO '{paths.root}/tickets/a.parquet'"
        )
        yield told


def run_score(paths: Paths, **parameters: Any) -> Any:
    from flows.launch import run_flow
    from flows.score import STOPPED, score
    from seq2seq_core.bulk.bulk_request import BulkSummary

    asked = {"input": "tickets", "output": "predictions", "workspace": str(paths.root), "shard_rows": 20, "workers": 1}
    return run_flow(score, BulkSummary, STOPPED, **{**asked, **parameters})


def artifacts_of(paths: Paths) -> dict[str, Any]:
    """The artifacts of the last run in a workspace, by key."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        runs = [run for run in client.read_flow_runs() if run.parameters.get("workspace") == str(paths.root)]
        last = max(runs, key=lambda run: str(run.created))
        asked = {"flow_runs": {"id": {"any_": [str(last.id)]}}}
        found = client.request("POST", "/artifacts/filter", json=asked).json()
    assert last.name.startswith("dates · by hand · ")
    return {"state": last.state_name, **{artifact["key"]: artifact["data"] for artifact in found}}


@pytest.mark.proof
def test_the_flow_scores_a_folder_by_the_champion_says_where_and_goes_on(
    prefect_api: str, registered_paths: Paths, heard: list[Any]
) -> None:
    summary = run_score(registered_paths, column="text", options={"beam_size": 1})
    output = registered_paths.root / "predictions"
    assert (summary.num_rows, summary.num_shards, summary.model) == (ROWS, 2, "models:/dates/1")
    found = select(f"SELECT id, text, prediction FROM '{output}/*.parquet' ORDER BY id").fetchall()
    assert [row[:2] for row in found] == [(number, f"{number} May 2031") for number in range(ROWS)]
    told = artifacts_of(registered_paths)
    assert told["state"] == "Completed"
    assert told["dates-score-progress"] == 100.0
    for line in ("| rows | 30 (30 in this run, ", f"| output | `{output}` |", "| model | `models:/dates/1` |", "| shards | 2 |"):
        assert line in told["dates-score-report"]
    assert summary.bundle_digest in told["dates-score-report"]
    (body,) = heard
    assert (body["event"], body["metrics"], body["links"]) == (
        "success",
        {"rows": 30, "errors": 0, "cut": summary.num_cut, "withheld": 0},
        {"output": str(output)},
    )
    assert body["model"] == {"name": "dates", "version": "1", "alias": None, "reason": ""}
    lost = output / "a-00001.parquet"
    before = file_digest(lost)
    lost.unlink()
    again = run_score(registered_paths, column="text", options={"beam_size": 1})
    assert (again.num_decoded, file_digest(lost)) == (10, before)
    with pytest.raises(UserError, match=r"options\.beam_size was 1, is 2"):
        run_score(registered_paths, column="text")
    failed = artifacts_of(registered_paths)
    assert failed["state"] == "Failed"
    assert failed["dates-score-report"].startswith("# Score: failed\n\n```text\n")
    assert [body["event"] for body in heard] == ["success", "success", "failure"]
    with pytest.raises(UserError, match=r"^options\.beam: must be a known setting"):
        run_score(registered_paths, options={"beam": 1})


@pytest.mark.proof
def test_what_a_run_is_asked_for_is_on_its_page(prefect_api: str) -> None:
    from flows.score import score

    properties = score.parameters.properties
    assert list(properties)[:4] == ["input", "output", "model", "workspace"]
    assert all(one.get("description") for one in properties.values())
    assert score.parameters.required == ["input", "output"]
