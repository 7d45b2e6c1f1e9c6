from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.launch import run_flow
from flows.processes.cancellation import Cancellation
from flows.processes.supervised import CommandResult
from flows.sweeps.workers import ENTRY, Workers, explain_end, run_workers
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import parse_settings
from seq2seq_core.errors import EnvironmentFault, UserError
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.sweep.drive import SweepRequest
from seq2seq_core.sweep.results import SweepResults
from seq2seq_core.sweep.sweep_run import open_sweep
from tests.reversed_words import write_reversed_words

from .waiting import wait_until

PARAMS: dict[str, Any] = {
    "corpus": {"path": "x", "files": {"train": ["train.tsv"]}},
    "register": {"model_name": "m"},
    "tokenize": {"source": {"model": "char"}, "target": {"model": "char"}},
    "model": {"width": 8},
    "train": {"max_steps": 2, "warmup_steps": 1, "batch_tokens": 200, "validate_every_steps": 1, "dev_sentences": 2},
    "runtime": {"device": "cpu", "flow": {"default": {"retries": 1, "retry_delay_seconds": 0.0}, "stages": {}}},
}
SWEEP = {"name": "toy", "trials": 3, "space": {"train.learning_rate": {"low": 0.001, "high": 0.03, "log": True}}}
Ask = Callable[..., SweepRequest]
OUTER_VARIABLES = ("MLFLOW_TRACKING_URI", "S2S_GRAPH_RUN", "S2S_FLOW_RUN_ID")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a tiny tokenised corpus and an MLflow database, made once and copied."""
    from seq2seq_core.tracking.mlflow.store import connect

    paths = Paths(tmp_path_factory.mktemp("template"))
    write_reversed_words(paths, train=20, dev=4, test=2)
    run_tokenize(parse_settings(PARAMS, "test"), paths, NullRecorder())
    (paths.root / "dvc.yaml").write_text("stages: {}\n")
    paths.params.write_text(yaml.safe_dump(PARAMS))
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        connect(paths)
    return paths.root


@pytest.fixture
def paths(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    for name in OUTER_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    shutil.copytree(template, tmp_path / "workspace")
    return Paths(tmp_path / "workspace")


@pytest.fixture
def ask(paths: Paths) -> Ask:
    def make(**fields: Any) -> SweepRequest:
        file = paths.root / "toy.yaml"
        file.write_text(yaml.safe_dump({**SWEEP, **fields}))
        return SweepRequest(file)

    return make


def sweep_here(request: SweepRequest, paths: Paths, jobs: int) -> SweepResults:
    from flows.sweep import STOPPED, sweep

    asked = {"file": str(request.file), "name": request.name, "trials": request.trials, "jobs": jobs}
    return run_flow(sweep, SweepResults, STOPPED, workspace=str(paths.root), **asked)


@pytest.mark.slow
def test_each_trial_is_a_task_and_the_table_is_an_artifact(prefect_api: str, paths: Paths, ask: Ask) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter

    results = sweep_here(ask(), paths, jobs=2)
    assert sorted(trial.number for trial in results.trials) == [0, 1, 2]
    assert {trial.state for trial in results.trials} == {"completed"}
    with get_client(sync_client=True) as client:
        run = next(run for run in client.read_flow_runs() if run.parameters.get("workspace") == str(paths.root))
        assert run.state_name == "Completed"
        of_run = FlowRunFilter.model_validate({"id": {"any_": [run.id]}})
        wait_until(lambda: len(client.read_task_runs(flow_run_filter=of_run)) == 3, "a task run for each trial")
        tasks = client.read_task_runs(flow_run_filter=of_run)
        assert {task.state_name for task in tasks} == {"Completed"}
        artifacts = client.request("POST", "/artifacts/filter", json={"flow_runs": {"id": {"any_": [str(run.id)]}}}).json()
        assert [artifact["key"] for artifact in artifacts] == ["m-sweep-trials"]
    again = sweep_here(ask(), paths, jobs=1)
    assert again == results, "nothing is left to train"


@pytest.mark.slow
def test_a_sweep_with_faults_fails_with_their_list(prefect_api: str, paths: Paths, ask: Ask) -> None:
    with pytest.raises(UserError, match=r"space\.model\.wid: must be a known setting"):
        sweep_here(ask(space={"model.wid": {"low": 1, "high": 2}}), paths, jobs=1)


@pytest.mark.proof
@pytest.mark.slow
def test_an_interrupted_flow_stops_its_processes_and_goes_on_when_it_is_run_again(
    prefect_api: str, paths: Paths, ask: Ask, tmp_path: Path
) -> None:
    import psutil

    long = ask(trials=1, settings={"train.max_steps": 4000, "train.patience": 0, "train.dev_sentences": 0})
    script = (
        "import sys; from pathlib import Path; from seq2seq_core.artifacts import Paths\n"
        "from flows.launch import run_sweep; from seq2seq_core.sweep.drive import SweepRequest\n"
        "from seq2seq_core.errors import Seq2SeqError\n"
        "try:\n    run_sweep(SweepRequest(Path(sys.argv[1])), Paths(Path(sys.argv[2])), 1)\n"
        "except Seq2SeqError as error:\n    print(error); sys.exit(error.exit_code)\n"
    )
    command = [sys.executable, "-P", "-c", script, str(long.file), str(paths.root)]
    with (tmp_path / "flow.log").open("wb") as log:
        variables = {**os.environ, "PREFECT_API_URL": prefect_api}
        process = subprocess.Popen(command, env=variables, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        states = paths.sweeps / "toy" / "trials" / "0"
        wait_until(lambda: bool(list(states.glob("*-*/checkpoint-*.json"))), (tmp_path / "flow.log").read_text())
        below = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=300)
        gone, alive = psutil.wait_procs(below, timeout=300)
    finally:
        process.kill()
        process.wait()
    assert not alive
    assert gone
    assert "every trial was stopped, run the same sweep again to go on" in (tmp_path / "flow.log").read_text()
    opened = open_sweep(long.load(), "toy.yaml", paths)
    assert (len(opened.results().trials), opened.results().num_open) == (0, 1)


@pytest.mark.proof
@pytest.mark.slow
def test_another_worker_takes_the_place_of_one_that_was_killed_until_its_trial_has_failed(
    paths: Paths, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    dies = (
        "import os, signal; from seq2seq_core.training.trainer import Trainer\n"
        "update = Trainer._update\n"
        "def die(self, *arguments):\n"
        "    if self.settings.learning_rate == 0.01:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    update(self, *arguments)\n"
        "Trainer._update = die\n"
    )
    monkeypatch.setattr("flows.sweeps.workers.ENTRY", dies + ENTRY)
    request = ask(settings={"train.learning_rate": 0.01}, space={"model.dropout": {"choices": [0.0, 0.1]}}, trials=1)
    run_workers(request, paths, 1)
    (failed,) = open_sweep(request.load(), "toy.yaml", paths).results().trials
    assert failed.reason == "its process died 2 times after its beginning, as it does where the machine's memory runs out"


def test_a_worker_that_was_killed_before_it_had_a_trial_is_not_started_again(
    paths: Paths, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.sweeps.workers.ENTRY", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(EnvironmentFault, match=r"^worker 1 ended with exit code 137: it said nothing; its trial is not lost"):
        run_workers(ask(), paths, 1)


def test_workers_share_the_cores(paths: Paths, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    workers = Workers(ask(), paths, 3, Cancellation())
    assert workers._environment()["OMP_NUM_THREADS"] == "1", "what somebody has set stays"
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert workers._environment()["OMP_NUM_THREADS"] == "2"


def test_a_worker_that_failed_is_explained_in_its_own_words() -> None:
    def ended(code: int, *lines: str) -> CommandResult:
        return CommandResult(code, lines, 1.0, "itself")

    fault = explain_end("worker 1", ended(2, "trial 0: x", "error: train has no pairs"))
    assert (type(fault), str(fault)) == (UserError, "train has no pairs")
    crash = explain_end("worker 1", ended(137, "trial 0: x"))
    assert isinstance(crash, EnvironmentFault)
    assert str(crash) == "worker 1 ended with exit code 137: trial 0: x; its trial is not lost, the same command goes on with it"
    assert "it said nothing" in str(explain_end("worker 2", ended(1)))
