from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.server.deployment_setup import setup_prefect
from seq2seq_core.config.runtime import FlowSettings
from seq2seq_core.config.settings import load_settings, parse_settings
from seq2seq_core.errors import EnvironmentFault, UserError

from .conftest import CHAIN, PARAMS, ToyWorkspace, processes_with
from .waiting import wait_until

REPOSITORY = Path(__file__).parents[2]
PREFECT = str(Path(sys.executable).with_name("prefect"))


def settings(**flow: Any) -> Any:
    return parse_settings({**PARAMS, "runtime": {"flow": flow}}, "params.yaml")


def test_setting_up_a_server_twice_changes_nothing_the_second_time(prefect_api: str) -> None:
    from prefect.client.orchestration import get_client

    pool, tag = f"pool-{uuid.uuid4().hex[:8]}", f"tag-{uuid.uuid4().hex[:8]}"
    wanted = settings(work_pool=pool, concurrency_limits={tag: 2})
    assert setup_prefect(wanted) == [f"work pool {pool}: created", f"tag {tag}: limit 2 created"]
    assert setup_prefect(wanted) == [f"work pool {pool}: there already", f"tag {tag}: limit 2 there already"]
    fewer = settings(work_pool=pool, concurrency_limits={tag: 1})
    assert setup_prefect(fewer) == [f"work pool {pool}: there already", f"tag {tag}: limit changed from 2 to 1"]
    with get_client(sync_client=True) as client:
        assert client.read_work_pool(pool).type == "process"
        assert client.read_concurrency_limit_by_tag(tag).concurrency_limit == 1


def test_a_pool_of_another_type_is_refused(prefect_api: str) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate

    pool = f"pool-{uuid.uuid4().hex[:8]}"
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=pool, type="docker"))
    with pytest.raises(UserError) as caught:
        setup_prefect(settings(work_pool=pool))
    assert str(caught.value) == f"runtime.flow.work_pool: must be a pool of type process, got '{pool}', which is of type docker"


def test_without_a_server_setting_up_says_how_to_get_one(prefect_api: str) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: None}), pytest.raises(UserError) as caught:
        setup_prefect(settings())
    assert str(caught.value) == (
        "no Prefect server is configured; start one with `prefect server start`, then set its address: "
        "`export PREFECT_API_URL=http://127.0.0.1:4200/api`"
    )
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}), pytest.raises(EnvironmentFault) as away:
        setup_prefect(settings())
    assert str(away.value).startswith("the Prefect server at http://127.0.0.1:9/api does not answer: ConnectError: ")


def test_the_deployments_name_the_default_pool_and_an_entry_point_that_imports() -> None:
    declared = yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())
    flows = {deployment["name"]: deployment["entrypoint"].rpartition(":")[2] for deployment in declared["deployments"]}
    assert flows == {"nightly": "retrain", "on-demand": "retrain", "dates": "sweep"}
    for deployment in declared["deployments"]:
        path, _, name = deployment["entrypoint"].partition(":")
        assert (REPOSITORY / path).is_file()
        assert getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), name).name == name
        assert deployment["work_pool"]["name"] == FlowSettings().work_pool


@pytest.fixture
def worker(prefect_api: str, tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Starts a worker, in a folder that is not the workspace."""
    started: list[subprocess.Popen[bytes]] = []

    def start(pool: str) -> subprocess.Popen[bytes]:
        folder = tmp_path / "elsewhere"
        folder.mkdir()
        with (tmp_path / "worker.log").open("wb") as log:
            command = [PREFECT, "worker", "start", "--pool", pool]
            variables = {**os.environ, "PREFECT_API_URL": prefect_api, "PREFECT_WORKER_QUERY_SECONDS": "1"}
            started.append(subprocess.Popen(command, cwd=folder, env=variables, stdout=log, stderr=subprocess.STDOUT))
        return started[-1]

    yield start
    for process in started:
        process.terminate()
        process.wait()


@pytest.mark.slow
def test_deployed_runs_work_in_the_workspace_and_a_cancelled_one_leaves_no_process(
    make_workspace: Callable[..., ToyWorkspace], worker: Callable[[str], subprocess.Popen[bytes]], prefect_api: str, tmp_path: Path
) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.client.schemas.schedules import CronSchedule
    from prefect.states import Cancelling

    workspace = make_workspace(CHAIN)
    token = uuid.uuid4().hex
    workspace.behave("train", f"save hang:{token}")
    shutil.copytree(REPOSITORY / "flows", workspace.root / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "prefect.yaml", workspace.root)
    pool = load_settings(workspace.paths.params).runtime.flow.work_pool
    setup_prefect(load_settings(workspace.paths.params))
    variables = {**os.environ, "PREFECT_API_URL": prefect_api}
    deploy = [PREFECT, "--no-prompt", "deploy", "--all"]
    subprocess.run(deploy, cwd=workspace.root, env=variables, check=True, capture_output=True)
    worker(pool)

    with get_client(sync_client=True) as client:
        nightly = client.read_deployment_by_name("retrain/nightly")
        assert [schedule.schedule for schedule in nightly.schedules] == [CronSchedule(cron="0 3 * * *", timezone="UTC")]
        deployment = client.read_deployment_by_name("retrain/on-demand")

        def state_of(run_id: uuid.UUID) -> str | None:
            return client.read_flow_run(run_id).state_name

        first = client.create_flow_run_from_deployment(deployment.id)
        wait_until((workspace.root / ".s2s" / "hanging").exists, (tmp_path / "worker.log").read_text(), 120)
        client.set_flow_run_state(first.id, Cancelling(), force=True)
        wait_until(lambda: not processes_with(token) and not processes_with(str(workspace.root)), "the end of every process")
        assert (workspace.root / ".s2s" / "saved").exists()
        wait_until(lambda: state_of(first.id) == "Cancelled", "the state Cancelled")

        workspace.behave("train", "")
        second = client.create_flow_run_from_deployment(deployment.id)
        wait_until(lambda: state_of(second.id) == "Completed", "the state Completed", 120)
        of_second = FlowRunFilter.model_validate({"id": {"any_": [second.id]}})
        wait_until(
            lambda: (
                {run.name: run.state_name for run in client.read_task_runs(flow_run_filter=of_second)}
                == {"prepare": "Cached", "train": "Completed", "evaluate": "Completed"}
            ),
            "a task run for each stage",
        )
        artifacts = client.request("POST", "/artifacts/filter", json={"flow_runs": {"id": {"any_": [str(second.id)]}}}).json()
        assert {artifact["key"] for artifact in artifacts} == {"retrain-report", "retrain-stages"}
        of_this_run = {"logs": {"flow_run_id": {"any_": [str(second.id)]}}}

        def messages() -> set[str]:
            return {entry["message"] for entry in client.request("POST", "/logs/filter", json=of_this_run).json()}

        # Prefect sends the lines of a run in batches, some of them after its state.
        wait_until(lambda: "hello from train" in messages(), "the lines of the stage")
