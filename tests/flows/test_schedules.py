"""What a deployment promises, on a real server with a real worker: its schedule, its limits, and how its runs end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.server import deploy_step
from flows.server.automations import ENDED
from flows.server.deploy_step import claim_names
from flows.server.deployment_setup import setup_prefect
from flows.server.run_events import SCHEDULED
from seq2seq_core.config.settings import load_settings
from seq2seq_core.errors import UserError

from .conftest import CHAIN, ToyWorkspace, make_toy_workspace, processes_with
from .waiting import wait_until
from .webhook_server import webhook_server

REPOSITORY = Path(__file__).parents[2]
PREFECT = str(Path(sys.executable).with_name("prefect"))
PATIENCE_SECONDS = 600.0

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Deployed:
    """A workspace whose deployments a worker runs.

    Attributes:
        workspace: the workspace.
        model: the model's name.
        client: of the server.
        worker_log: the output of the worker and of its runs.
        heard: what the webhook was told.
    """

    workspace: ToyWorkspace
    model: str
    client: Any
    worker_log: Path
    heard: list[Any]

    def deploy(self, *arguments: str) -> None:
        deploy(self.workspace, *arguments)

    def start(self, cause: str) -> uuid.UUID:
        deployment = self.client.read_deployment_by_name(f"retrain/{self.model}-{cause}")
        return self.client.create_flow_run_from_deployment(deployment.id).id  # type: ignore[no-any-return]

    def state_of(self, run_id: uuid.UUID) -> str | None:
        return self.client.read_flow_run(run_id).state_name  # type: ignore[no-any-return]

    def wait_for(self, run_id: uuid.UUID, state: str) -> None:
        wait_until(lambda: self.state_of(run_id) == state, f"the state {state}: {self.worker_log.read_text()}", PATIENCE_SECONDS)

    def messages(self, run_id: uuid.UUID) -> list[str]:
        asked = {"logs": {"flow_run_id": {"any_": [str(run_id)]}}}
        return [entry["message"] for entry in self.client.request("POST", "/logs/filter", json=asked).json()]

    def runs_of(self, cause: str) -> list[Any]:
        from prefect.client.schemas.filters import DeploymentFilter

        named = DeploymentFilter.model_validate({"name": {"any_": [f"{self.model}-{cause}"]}})
        return self.client.read_flow_runs(deployment_filter=named)  # type: ignore[no-any-return]


def deploy(workspace: ToyWorkspace, *arguments: str) -> None:
    command = [PREFECT, "--no-prompt", "deploy", *arguments]
    result = subprocess.run(command, cwd=workspace.root, env=with_server(), check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def with_server() -> dict[str, str]:
    from prefect.settings import get_current_settings

    return {**os.environ, "PREFECT_API_URL": str(get_current_settings().api.url), "PREFECT_WORKER_QUERY_SECONDS": "1"}


@pytest.fixture(scope="module")
def deployed(prefect_api: str, tmp_path_factory: pytest.TempPathFactory, empty_repository: Path) -> Iterator[Deployed]:
    """A deployed workspace, and a worker in a folder that is not the workspace."""
    from prefect.client.orchestration import get_client

    folder = tmp_path_factory.mktemp("deployed")
    workspace = make_toy_workspace(folder / "workspace", empty_repository, CHAIN)
    shutil.copytree(REPOSITORY / "flows", workspace.root / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "prefect.yaml", workspace.root)
    model, worker_log = f"toy-{uuid.uuid4().hex[:8]}", folder / "worker.log"
    with webhook_server() as (url, heard), get_client(sync_client=True) as client, worker_log.open("wb") as log:
        workspace.set_params(register={"model_name": model})
        workspace.set_flow(notify={"webhook_url": url})
        settings = load_settings(workspace.paths.params)
        setup_prefect(settings)
        deploy(workspace, "--all")
        (folder / "elsewhere").mkdir()
        command = [PREFECT, "worker", "start", "--pool", settings.runtime.flow.work_pool]
        worker = subprocess.Popen(command, cwd=folder / "elsewhere", env=with_server(), stdout=log, stderr=subprocess.STDOUT)
        yield Deployed(workspace, model, client, worker_log, heard)
        worker.terminate()
        worker.wait()
        for name in ("retrain/{}-nightly", "retrain/{}-on-demand", "sweep/{}-sweep", "score/{}-score"):
            client.delete_deployment(client.read_deployment_by_name(name.format(model)).id)


@pytest.fixture(autouse=True)
def well_behaved(deployed: Deployed) -> Iterator[None]:
    """Lets every stage succeed again after a test, and forgets what the webhook heard before it."""
    deployed.heard.clear()
    yield
    for stage in CHAIN:
        deployed.workspace.behave(stage, "")
    (deployed.workspace.root / ".s2s" / "hanging").unlink(missing_ok=True)


def test_a_cron_of_every_minute_starts_runs_that_complete(deployed: Deployed) -> None:
    place = deployed.workspace.root / "prefect.yaml"
    nightly = place.read_text()
    place.write_text(nightly.replace('cron: "0 3 * * *"', 'cron: "* * * * *"'))
    assert place.read_text() != nightly
    deployed.deploy("--name", "*nightly")
    place.write_text(nightly)

    def completed() -> list[Any]:
        return [run for run in deployed.runs_of("nightly") if run.auto_scheduled and run.state_name == "Completed"]

    try:
        wait_until(lambda: bool(completed()), f"a scheduled run: {deployed.worker_log.read_text()}", PATIENCE_SECONDS)
    finally:
        deployed.client.pause_deployment(deployed.client.read_deployment_by_name(f"retrain/{deployed.model}-nightly").id)
    run = completed()[0]
    schema = deployed.client.read_deployment(run.deployment_id).parameter_openapi_schema
    assert f'"enum": {json.dumps(list(CHAIN))}' in json.dumps(schema["properties"]["force"])
    day = run.expected_start_time.astimezone().date().isoformat()
    assert run.name == f"{deployed.model} · nightly · {day}"
    assert set(run.tags) == {"auto-scheduled", f"model:{deployed.model}"}
    artifacts = deployed.client.request("POST", "/artifacts/filter", json={"flow_runs": {"id": {"any_": [str(run.id)]}}}).json()
    assert {artifact["key"] for artifact in artifacts} == {f"{deployed.model}-retrain-report", f"{deployed.model}-retrain-stages"}
    assert deployed.heard == []
    asked = {"filter": {"resource": {"id": [f"prefect.flow-run.{run.id}"]}}}
    events = "/events/filter"
    for event in (SCHEDULED, ENDED):
        wait_until(lambda: event in deployed.client.request("POST", events, json=asked).text, event)  # noqa: B023
    # Prefect sends the lines of a run in batches, some of them after its state.
    wait_until(lambda: any("stages" in line for line in deployed.messages(run.id)), "the lines of the flow")


@pytest.mark.parametrize(
    ("parameters", "field"), [({"set": ["train.seed=2", "max_steps=1"]}, "set"), ({"force": ["trian"]}, "force")]
)
def test_a_slip_in_the_fields_of_a_run_is_refused_when_the_run_is_made(
    deployed: Deployed, parameters: dict[str, Any], field: str
) -> None:
    from prefect.exceptions import PrefectHTTPStatusError

    deployment = deployed.client.read_deployment_by_name(f"retrain/{deployed.model}-on-demand")
    with pytest.raises(PrefectHTTPStatusError) as caught:
        deployed.client.create_flow_run_from_deployment(deployment.id, parameters=parameters)
    assert caught.value.response.status_code in (409, 422)
    assert parameters[field][-1] in caught.value.response.text


def test_files_are_scored_by_the_champion_through_a_deployment_whose_failure_the_webhook_hears(deployed: Deployed) -> None:
    deployment = deployed.client.read_deployment_by_name(f"score/{deployed.model}-score")
    asked = {"input": "tickets", "output": "predictions"}
    run = deployed.client.create_flow_run_from_deployment(deployment.id, parameters=asked)
    deployed.wait_for(run.id, "Failed")
    assert f"models:/{deployed.model}@champion: the registry" in deployed.client.read_flow_run(run.id).state.message
    (body,) = deployed.heard
    assert (body["event"], body["flow_run"]["id"], body["failure"]["kind"]) == ("failure", str(run.id), "user_fault")
    assert body["links"] == {"output": str(deployed.workspace.root / "predictions")}


def test_every_page_of_deployments_is_read(deployed: Deployed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy_step, "PAGE_SIZE", 1)
    shutil.copytree(deployed.workspace.root, tmp_path / "copy")
    with pytest.raises(UserError, match=f"whose deployment retrain/{deployed.model}-nightly works in"):
        claim_names(tmp_path / "copy")


def test_another_workspace_does_not_take_over_the_deployments(deployed: Deployed, tmp_path: Path) -> None:
    shutil.copytree(deployed.workspace.root, tmp_path / "copy")
    command = [PREFECT, "--no-prompt", "deploy", "--all"]
    result = subprocess.run(command, cwd=tmp_path / "copy", env=with_server(), check=False, capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1] == (
        f"error: register.model_name: must be a name that no other workspace deploys on this server, got '{deployed.model}', whose "
        f"deployment retrain/{deployed.model}-nightly works in {deployed.workspace.root}; give this model another name, or, if the "
        "workspace has moved, set S2S_TAKE_OVER_DEPLOYMENTS=1 and deploy again"
    )
    assert "Traceback" not in result.stderr + result.stdout

    names, notes = claim_names(tmp_path / "copy", may_take_over=True)
    assert (names["folder"], names["model"], notes) == (str(tmp_path / "copy"), deployed.model, [])
    deployed.workspace.set_params(register={"model_name": "another"})
    try:
        _, notes = claim_names(deployed.workspace.root)
    finally:
        deployed.workspace.set_params(register={"model_name": deployed.model})
    name = f"retrain/{deployed.model}-nightly"
    assert notes[0] == f"{name} works in this folder too, under another name; `prefect deployment delete {name}` ends it"
    assert len(notes) == 4


@pytest.mark.proof
def test_runs_that_overlap_are_not_red_and_a_cancelled_one_leaves_no_process(deployed: Deployed) -> None:
    from prefect.states import Cancelling

    token = uuid.uuid4().hex
    deployed.workspace.behave("train", f"save hang:{token}")
    deployed.workspace.set_params(train={"seed": 6})
    first = deployed.start("nightly")
    wait_until((deployed.workspace.root / ".s2s" / "hanging").exists, deployed.worker_log.read_text(), PATIENCE_SECONDS)

    scheduled, (given_up, asked_for) = deployed.start("nightly"), [deployed.start("on-demand") for _ in range(2)]
    deployed.wait_for(scheduled, "Skipped")
    busy = f"{deployed.workspace.root}: a retrain is already running here (process "
    for run, is_cancelled in ((scheduled, True), (asked_for, False), (given_up, False)):
        deployed.wait_for(run, "Skipped" if is_cancelled else "Waiting")
        state = deployed.client.read_flow_run(run).state
        assert (state.is_cancelled(), state.message.startswith(busy)) == (is_cancelled, True)
    deployed.client.set_flow_run_state(given_up, Cancelling(), force=True)
    deployed.wait_for(given_up, "Cancelled")
    assert deployed.state_of(first) == "Running"

    deployed.workspace.behave("train", "")
    deployed.client.set_flow_run_state(first, Cancelling(), force=True)
    root = str(deployed.workspace.root)
    deployed.wait_for(first, "Cancelled")
    deployed.wait_for(asked_for, "Completed")
    wait_until(lambda: not processes_with(token) and not processes_with(root), "the end of every process")
    assert (deployed.workspace.root / ".s2s" / "saved").exists()
    assert deployed.heard == []


def test_a_fault_is_told_once_everywhere_and_without_a_traceback(deployed: Deployed) -> None:
    deployed.workspace.behave("train", "user_fault")
    deployed.workspace.set_params(train={"seed": 7})
    before = len(deployed.worker_log.read_text())
    run = deployed.start("on-demand")
    deployed.wait_for(run, "Failed")
    reason = "data/train.tsv:7: has 2 columns; expected 3"
    assert deployed.client.read_flow_run(run).state.message == reason
    wait_until(lambda: bool(deployed.heard), "the notification")
    wait_until(lambda: deployed.messages(run).count("Finished in state Failed") == 2, "the last lines of the stage and of the flow")
    lines = [line for line in deployed.messages(run) if reason in line]
    assert lines == [f"error: {reason}"], "the stage's own line, and no other"
    output = deployed.worker_log.read_text()[before:]
    assert "Traceback" not in output
    assert "TypeError" not in output
    assert [body["failure"]["message"] for body in deployed.heard] == [reason]


def test_the_webhook_hears_of_a_run_whose_process_was_killed(deployed: Deployed) -> None:
    token = uuid.uuid4().hex
    deployed.workspace.behave("train", f"hang:{token}")
    deployed.workspace.set_params(train={"seed": 8})
    run = deployed.start("on-demand")
    wait_until((deployed.workspace.root / ".s2s" / "hanging").exists, deployed.worker_log.read_text(), PATIENCE_SECONDS)
    process = psutil.Process(int((deployed.workspace.root / ".s2s" / "retrain.lock").read_text()))
    process.send_signal(signal.SIGKILL)
    deployed.wait_for(run, "Crashed")
    wait_until(lambda: bool(deployed.heard), "the notification")
    wait_until(lambda: not processes_with(token), "the end of every process")
    (body,) = deployed.heard
    assert (body["event"], body["failure"]["kind"]) == ("failure", "crash")
    assert body["flow_run"]["id"] == str(run)
    assert body["failure"]["message"].startswith("Process exited with status code: -9")
