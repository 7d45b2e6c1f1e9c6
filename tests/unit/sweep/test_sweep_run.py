from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
import yaml
from mlflow import MlflowClient
from typer.testing import CliRunner, Result

from seq2seq_core.artifacts import Paths
from seq2seq_core.cli.main import app
from seq2seq_core.config.settings import load_settings
from seq2seq_core.errors import Interrupted, UserError, WorkspaceBusy
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.train import run_train
from seq2seq_core.sweep.best_settings import check_target, hand_over_state, write_best
from seq2seq_core.sweep.drive import SweepRequest, driven_sweep, work
from seq2seq_core.sweep.results import SweepResults
from seq2seq_core.sweep.sweep_run import forget_sweep, open_sweep, spread_devices
from seq2seq_core.tracking.mlflow.store import connect
from seq2seq_core.tracking.runs import sweep_tracking
from seq2seq_core.training.state.folder_lock import lock_folder
from seq2seq_core.training.trainer import Trainer
from seq2seq_core.training.updates.divergence import Diverged
from tests.flows.waiting import wait_until
from tests.prepared_processes import CONTEXT

Ask = Callable[..., SweepRequest]
RATES = {"train.learning_rate": {"choices": [0.003, 0.01]}}
ENTRY = "from seq2seq_core.cli.main import main; main()"
TAKEN = re.compile(r"\[(\d)\] trial (\d):")


def run(request: SweepRequest, paths: Paths) -> SweepResults:
    with driven_sweep(request, paths) as (sweep, tracking):
        sweep.run(tracking)
    return sweep.results()


def in_the_tenth_update(_trainer: Trainer, number: int) -> bool:
    return number == 10


def before_the_first_update_at_width_24(trainer: Trainer, _number: int) -> bool:
    return trainer.state.step == 0 and trainer.model.target_embedding.table.weight.shape[1] == 24


def work_until_death(file: str, root: str, is_last: Callable[[Trainer, int], bool]) -> None:
    """Works on a sweep without MLflow, in a process that kills itself before an update that the last argument tells."""
    torch.set_num_threads(1)
    update, numbers = Trainer._update, count(1)

    def update_or_die(self: Trainer, *arguments: Any) -> None:
        if is_last(self, next(numbers)):
            os.kill(os.getpid(), signal.SIGKILL)
        update(self, *arguments)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sweep_tracking, "find_spec", lambda name: None)
        patched.setattr(Trainer, "_update", update_or_die)
        work(SweepRequest(Path(file)), Paths(Path(root)))


def exit_code_of_worker(request: SweepRequest, paths: Paths, is_last: Callable[[Trainer, int], bool]) -> int | None:
    """How a process of its own ends that works on a sweep until its death."""
    process = CONTEXT.Process(target=work_until_death, args=(str(request.file), str(paths.root), is_last))
    process.start()
    process.join()
    return process.exitcode


def test_the_trials_come_to_what_training_with_their_settings_comes_to(ask: Ask, paths: Paths) -> None:
    request = ask(trials=3)
    results = run(request, paths)
    assert {trial.state for trial in results.trials} == {"completed"}
    assert not paths.training_state.exists()
    assert not paths.bundle.exists()
    best = results.best
    kept = open_sweep(request.load(), "toy.yaml", paths).space.kept_settings(best.values)
    write_best(best, "toy", "loss", kept, paths, paths.params)
    trained = run_train(load_settings(paths.params), paths, NullRecorder())
    assert (trained.best_dev_loss, trained.best_step) == (best.value, best.step)
    assert best.value == min(trial.value for trial in results.trials if trial.value is not None)


def test_a_sweep_that_is_stopped_anywhere_goes_on_and_comes_to_the_same(
    ask: Ask, make_workspace: Callable[[str], Paths], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = ask(trials=4, pruning={"method": "median", "startup_trials": 2})
    expected = run(request, make_workspace("undisturbed"))
    stopped, made, update = make_workspace("stopped"), [0], Trainer._update

    def count_and_stop(self: Trainer, *arguments: Any) -> None:
        made[0] += 1
        if made[0] % 5 == 0:
            os.kill(os.getpid(), signal.SIGINT)
        update(self, *arguments)

    monkeypatch.setattr(Trainer, "_update", count_and_stop)
    interruptions = 0
    while True:
        try:
            results = run(request, stopped)
            break
        except Interrupted:
            interruptions += 1
    assert interruptions >= 3
    assert results == expected


def test_a_killed_sweep_goes_on_with_the_trial_that_was_being_trained(ask: Ask, make_workspace: Callable[[str], Paths]) -> None:
    request = ask(trials=3)
    expected = run(request, make_workspace("undisturbed"))
    killed = make_workspace("killed")
    # In the middle of the second trial, after a checkpoint and before the next validation.
    assert exit_code_of_worker(request, killed, in_the_tenth_update) == -signal.SIGKILL
    half = open_sweep(request.load(), "toy.yaml", killed).results()
    assert (len(half.trials), half.num_open) == (1, 1)
    assert "1 trial(s) have not ended yet; the same command goes on with them" in half.describe()
    assert run(request, killed) == expected


def test_more_trials_later_keep_those_that_there_are(ask: Ask, make_workspace: Callable[[str], Paths]) -> None:
    at_once, later = make_workspace("at_once"), make_workspace("later")
    expected = run(ask(trials=4), at_once)
    run(ask(trials=2), later)
    assert run(replace(ask(trials=2), trials=4), later) == expected


def test_a_bad_trial_is_given_up_after_a_validation(ask: Ask, paths: Paths) -> None:
    space = {"train.learning_rate": {"choices": [0.003, 1e-7]}}
    results = run(ask(space=space, trials=6, pruning={"method": "median", "startup_trials": 1, "warmup_steps": 3}), paths)
    by_rate = {(trial.values["train.learning_rate"], trial.state, trial.step) for trial in results.trials}
    assert (0.003, "completed", 6) in by_rate
    assert (1e-7, "pruned", 4) in by_rate, "the first validation from step 3 on"
    assert results.best.values == {"train.learning_rate": 0.003}


def test_a_trial_that_diverges_or_whose_settings_do_not_go_together_has_failed_and_the_sweep_goes_on(
    ask: Ask, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = Trainer._update

    def diverge(self: Trainer, *arguments: Any) -> None:
        if self.model.target_embedding.table.weight.shape[1] == 24:
            raise Diverged("step 1: the loss is nan, expected a finite number")
        update(self, *arguments)

    monkeypatch.setattr(Trainer, "_update", diverge)
    space = {"model.width": {"choices": [16, 24]}, "model.time_reduction": {"choices": [0, 2]}}
    results = run(ask(space=space, trials=10), paths)
    reasons = {trial.reason for trial in results.trials if trial.state == "failed"}
    assert reasons == {
        "step 1: the loss is nan, expected a finite number",
        "model: time_reduction must be at most encoder_layers, got 2 with 1 layers",
    }
    assert results.best.values == {"model.width": 16, "model.time_reduction": 0}


def test_what_is_no_fault_of_a_trial_ends_the_sweep_and_the_trial_goes_on_later(
    ask: Ask, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Trainer, *arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(Trainer, "_update", full)
        with pytest.raises(OSError, match="No space left"):
            run(ask(trials=1), paths)
    assert [trial.state for trial in run(ask(trials=1), paths).trials] == ["completed"]


def crash_at_width_24(monkeypatch: pytest.MonkeyPatch, error: Exception, times: int = 100) -> list[int]:
    """Has every trial of width 24 crash in its third update, so many times in all; the updates of the trials that did."""
    update, crashes = Trainer._update, list[int]()

    def crash(self: Trainer, *arguments: Any) -> None:
        if self.model.target_embedding.table.weight.shape[1] == 24 and self.state.step == 2 and len(crashes) < times:
            crashes.append(self.state.step)
            raise error
        update(self, *arguments)

    monkeypatch.setattr(Trainer, "_update", crash)
    return crashes


def test_a_trial_that_always_crashes_has_failed_the_second_time_and_the_sweep_goes_on(
    ask: Ask, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashes = crash_at_width_24(monkeypatch, RuntimeError("the sizes do not match\nmore about it"))
    results = run(ask(space={"model.width": {"choices": [24, 16]}}, trials=5, begin_with_current=False), paths)
    failed = [trial for trial in results.trials if trial.state == "failed"]
    assert failed
    assert {(trial.reason, trial.values["model.width"]) for trial in failed} == {("RuntimeError: the sizes do not match", 24)}
    assert len(crashes) == 2 * len(failed)
    assert {trial.state for trial in results.trials if trial.values["model.width"] == 16} == {"completed"}
    assert len(results.trials) == 5


def test_a_trial_that_crashes_once_comes_to_what_it_would_have_come_to(
    ask: Ask, make_workspace: Callable[[str], Paths], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = ask(settings={"model.width": 24}, space=RATES, trials=1)
    expected = run(request, make_workspace("undisturbed"))
    crashes = crash_at_width_24(monkeypatch, ValueError("once"), times=1)
    assert run(request, make_workspace("crashed")) == expected
    assert crashes == [2]


def test_a_crash_of_the_device_ends_the_process_and_the_second_one_the_trial(
    ask: Ask, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = ask(settings={"model.width": 24}, space=RATES, trials=1)
    crash_at_width_24(monkeypatch, torch.AcceleratorError("CUDA error: an illegal memory access was encountered"))
    with pytest.raises(torch.AcceleratorError):
        run(request, paths)
    (failed,) = run(request, paths).trials
    assert failed.reason == "AcceleratorError: CUDA error: an illegal memory access was encountered"


def test_a_trial_whose_process_died_twice_at_one_place_has_failed_the_third_time_and_the_sweep_goes_on(
    ask: Ask, paths: Paths
) -> None:
    request = ask(space={"model.width": {"choices": [24, 16]}}, trials=3, begin_with_current=False)
    codes: list[int | None] = []
    while 0 not in codes and len(codes) < 20:
        codes.append(exit_code_of_worker(request, paths, before_the_first_update_at_width_24))
    results = open_sweep(request.load(), "toy.yaml", paths).results()
    failed = [trial for trial in results.trials if trial.state == "failed"]
    assert failed
    assert codes == [-signal.SIGKILL] * 2 * len(failed) + [0]
    reason = "its process died 2 times after its beginning, as it does where the machine's memory runs out"
    assert {(trial.reason, trial.values["model.width"]) for trial in failed} == {(reason, 24)}
    assert len(results.trials) == 3


def test_only_the_best_trials_training_state_is_left_and_training_takes_it(ask: Ask, paths: Paths) -> None:
    request = ask(trials=3)
    best = run(request, paths).best
    sweep = open_sweep(request.load(), "toy.yaml", paths)
    state = sweep.best_state()
    assert state is not None
    assert [place.parent.name for place in (paths.sweeps / "toy" / "trials").glob("*/*-*/")] == [str(best.number)]
    write_best(best, "toy", "loss", sweep.space.kept_settings(best.values), paths, paths.params)
    assert hand_over_state(state, paths)
    updates: list[int] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Trainer, "_update", lambda self, *arguments: updates.append(self.state.step))
        assert run_train(load_settings(paths.params), paths, NullRecorder()).best_dev_loss == best.value
    assert updates == []
    assert run(request, paths).best == best, "the parameters' own value of what is searched makes no other sweep"


def test_settings_that_only_make_trials_cheaper_are_not_kept(ask: Ask, paths: Paths) -> None:
    request = ask(trials=1, settings={"train.max_steps": 4}, keep_settings=False, metric="loss")
    best = run(request, paths).best
    sweep = open_sweep(request.load(), "toy.yaml", paths)
    assert best.step <= 4
    assert sweep.space.kept_settings(best.values) == {"train.dev_metric": "loss", **best.values}
    assert sweep.best_state() is None


def test_written_settings_keep_comments_and_say_where_they_are_from(ask: Ask, paths: Paths) -> None:
    request = ask(trials=1)
    best, target = run(request, paths).best, paths.root / "best.yaml"
    kept = open_sweep(request.load(), "toy.yaml", paths).space.kept_settings(best.values)
    write_best(best, "toy", "loss", kept, paths, target)
    lines = target.read_text().splitlines()
    assert lines[0].startswith("# The best trial of the sweep toy: trial 0, dev loss ")
    assert lines[2] == "# the toy"
    assert load_settings(target).model.width == best.values["model.width"]
    check_target(target)
    foreign = paths.root / "mine.yaml"
    foreign.write_text("corpus: {}\n")
    with pytest.raises(UserError, match=r"^--write: must be a new file or one that a sweep wrote, got "):
        check_target(foreign)


def test_forgetting_a_sweep_waits_for_nobody(ask: Ask, paths: Paths) -> None:
    request = ask(trials=1)
    run(request, paths)
    with (
        lock_folder(paths.sweeps / "toy" / "trials" / "0"),
        pytest.raises(WorkspaceBusy, match=r"/0: a process trains this trial; wait for it, or stop it"),
    ):
        forget_sweep(request.load(), paths)
    forget_sweep(request.load(), paths)
    assert not (paths.sweeps / "toy").exists()


def test_workers_spread_over_the_gpus(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(paths.params)
    automatic = settings.model_copy(update={"runtime": settings.runtime.model_copy(update={"device": "auto"})})
    assert spread_devices(automatic, 3) == automatic
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [spread_devices(automatic, worker).runtime.device for worker in range(3)] == ["cuda:0", "cuda:1", "cuda:0"]
    assert spread_devices(settings, 1) == settings, "a device that was named stays"


def test_a_worker_trains_at_most_so_many_trials(ask: Ask, paths: Paths) -> None:
    request = ask(trials=3)
    assert work(request, paths, max_trials=1) == 1
    assert work(request, paths) == 2
    assert work(request, paths) == 0


@pytest.fixture
def tracked(paths: Paths, mlflow_template: Path, no_outer_run: None, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """The store of the workspace, which sweeps record into."""
    monkeypatch.setattr(sweep_tracking, "find_spec", lambda name: name)
    shutil.copy(mlflow_template, paths.mlflow_database)
    return connect(paths)


def all_runs(client: MlflowClient) -> list[Any]:
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(experiments, order_by=["attributes.start_time ASC"]))


def test_each_trial_is_a_run_below_the_sweeps_and_an_interrupted_one_goes_on_in_its_own(
    ask: Ask, paths: Paths, tracked: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = ask(trials=2, pruning={"method": "none"})
    update, made = Trainer._update, [0]

    def stop_once(self: Trainer, *arguments: Any) -> None:
        made[0] += 1
        if made[0] == 4:
            os.kill(os.getpid(), signal.SIGINT)
        update(self, *arguments)

    monkeypatch.setattr(Trainer, "_update", stop_once)
    with pytest.raises(Interrupted):
        run(request, paths)
    assert [found.info.status for found in all_runs(tracked)] == ["KILLED", "KILLED"]
    results = run(request, paths)
    parent, first, second = all_runs(tracked)
    assert [found.info.status for found in (parent, first, second)] == ["FINISHED"] * 3
    assert [found.info.run_name for found in (parent, first, second)] == ["sweep toy", "trial 0", "trial 1"]
    assert {found.data.tags["mlflow.parentRunId"] for found in (first, second)} == {parent.info.run_id}
    assert first.data.params["train.learning_rate"] == "0.003"
    assert first.data.tags["trial_state"] == "completed"
    steps = [point.step for point in tracked.get_metric_history(first.info.run_id, "dev_loss")]
    assert steps == [2, 4, 6], "no point twice, none lost"
    assert parent.data.metrics["best_loss"] == results.best.value
    assert parent.data.tags["best_trial"] == str(results.best.number)
    curve = [(point.step, point.value) for point in tracked.get_metric_history(parent.info.run_id, "trial_loss")]
    assert curve == [(trial.number, trial.value) for trial in sorted(results.trials, key=lambda trial: trial.number)]
    assert {file.path for file in tracked.list_artifacts(parent.info.run_id)} == {"toy.yaml", "trials.csv", "trials.txt"}


def test_runs_of_failed_and_given_up_trials_say_so(
    ask: Ask, paths: Paths, tracked: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(self: Trainer, *arguments: Any) -> None:
        raise Diverged("step 1: the loss is nan")

    monkeypatch.setattr(Trainer, "_update", diverge)
    with driven_sweep(ask(trials=1), paths) as (sweep, tracking):
        sweep.run(tracking)
    _, trial = all_runs(tracked)
    assert (trial.info.status, trial.data.tags["trial_state"]) == ("FAILED", "failed")
    assert trial.data.tags["failure"].startswith("step 1: the loss is nan")


def test_the_run_of_a_trial_that_crashes_has_the_reason_and_the_traceback_and_that_of_a_refused_one_its_values(
    ask: Ask, paths: Paths, tracked: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_at_width_24(monkeypatch, RuntimeError("the sizes do not match"))
    request = ask(
        settings={"model.width": 24, "model.attention": "multi_head"}, space={"model.heads": {"choices": [4, 5]}}, trials=4
    )
    with driven_sweep(request, paths) as (sweep, tracking):
        sweep.run(tracking)
    _, *trials = all_runs(tracked)
    assert {trial.info.status for trial in trials} == {"FAILED"}
    assert {trial.data.tags["trial_state"] for trial in trials} == {"failed"}
    by_heads = {trial.data.params["model.heads"]: trial for trial in trials}
    assert by_heads["4"].data.tags["failure"] == "RuntimeError: the sizes do not match"
    assert {file.path for file in tracked.list_artifacts(by_heads["4"].info.run_id)} == {"crash.txt"}
    steps = [point.step for point in tracked.get_metric_history(by_heads["4"].info.run_id, "dev_loss")]
    assert steps == [2], "the second attempt tells nothing twice"
    assert by_heads["5"].data.params == {"model.heads": "5"}
    assert by_heads["5"].data.tags["failure"] == "model: width must be a multiple of heads, got width 24 and heads 5"
    assert len(trials) == 4


def test_without_mlflow_each_trial_leaves_a_file(ask: Ask, paths: Paths) -> None:
    run(ask(trials=1), paths)
    records = [json.loads(line) for line in (paths.sweeps / "toy" / "trials" / "0" / "records.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records if "dev_loss" in record["value"]] == [2, 4, 6]


def test_the_command_prints_the_table_and_writes_only_what_was_asked_for(ask: Ask, paths: Paths) -> None:
    request, before = ask(trials=2), paths.params.read_text()
    earlier = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    def invoke(*options: str) -> Result:
        return CliRunner().invoke(app, ["sweep", str(request.file), "-C", str(paths.root), *options])

    shown = invoke()
    assert shown.exit_code == 0, shown.output
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert lines[0] == ["rank", "trial", "loss", "step", "state", "train.learning_rate", "model.width"]
    assert [line[0] for line in lines[1:3]] == ["1", "2"]
    assert lines[3][:5] == ["the", "best", "is", "trial", lines[1][1] + ";"]
    assert paths.params.read_text() == before
    written = invoke("--write", str(paths.root / "best.yaml"), "--apply")
    assert written.exit_code == 0, written.output
    assert "`s2s train` takes the trained model of that trial" in written.stdout
    assert load_settings(paths.params) == load_settings(paths.root / "best.yaml")
    assert yaml.safe_load(paths.params.read_text())["train"]["learning_rate"] == pytest.approx(float(lines[1][5]), rel=1e-3)
    refused = invoke("--write", str(paths.root / "dvc.yaml"))
    assert (refused.exit_code, "--write: must be a new file" in refused.stderr) == (2, True)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("seq2seq_core.cli.sweep_command.find_spec", lambda name: None)
        assert "s2s sweep needs Optuna, which is not installed here; expected the extra `sweep`" in invoke().stderr
    anew = invoke("--from-scratch", "--name", "bad/name")
    assert "--name: must be of letters, digits, '_', '-' and '.', got 'bad/name'" in anew.stderr
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), earlier, strict=True):
        signal.signal(number, handler)


@pytest.mark.proof
@pytest.mark.slow
def test_several_processes_train_every_trial_once(ask: Ask, paths: Paths, tracked: MlflowClient) -> None:
    request = ask(trials=4)
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-c", ENTRY, "sweep", str(request.file), "-C", str(paths.root), "--jobs", "2"]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = open_sweep(request.load(), "toy.yaml", paths).results()
    assert sorted(trial.number for trial in results.trials) == [0, 1, 2, 3]
    assert {trial.state for trial in results.trials} == {"completed"}
    # One worker may take every trial before the other has started.
    takers = {number: {worker for worker, taken in TAKEN.findall(done.stderr) if taken == number} for number in "0123"}
    assert [len(workers) for workers in takers.values()] == [1, 1, 1, 1]
    parent, *trials = all_runs(tracked)
    assert [found.info.status for found in (parent, *trials)] == ["FINISHED"] * 5
    assert {found.data.tags["mlflow.parentRunId"] for found in trials} == {parent.info.run_id}


@pytest.mark.proof
def test_a_killed_driver_leaves_no_worker(ask: Ask, paths: Paths, tracked: MlflowClient) -> None:
    request = ask(trials=200, settings={"train.max_steps": 5000, "train.patience": 0})
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-c", ENTRY, "sweep", str(request.file), "-C", str(paths.root), "--jobs", "2"]
    driver = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        trials = paths.sweeps / "toy" / "trials"
        wait_until(lambda: bool(list(trials.glob("*/*-*/checkpoint-*.json"))), "the first state of a trial")
        children = psutil.Process(driver.pid).children(recursive=True)
        assert children
    finally:
        driver.kill()
        driver.wait()
    gone, alive = psutil.wait_procs(children, timeout=300)
    for process in alive:
        process.kill()
    assert not alive
    assert gone
