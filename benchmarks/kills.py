"""Kills trainings at random moments with `kill -9`, starts them again, and compares what comes out with an undisturbed run.

    python benchmarks/kills.py                                 25 kills of a GRU and of a Transformer, through both doors
    python benchmarks/kills.py --kills 5 --steps 400 --doors train --models transformer --seed 7

Doors: `train` starts `s2s train` again and again by hand; `flow` starts `s2s retrain` once, whose retries do it. Every third kill
waits for a checkpoint that is half written, every fourth comes before the first update. Final weights must be equal bit for bit,
and every deterministic curve in MLflow equal point for point, each step once, in one run. Then `dvc` and the flow are killed
instead of the trainer, under the flow and under bare `dvc repro`: ten seconds later none of their processes may be left.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import load_settings
from seq2seq_core.tracking.mlflow.store import connect
from seq2seq_core.tracking.process_identity import DVC_STARTER
from seq2seq_core.tracking.runs.graph_run import experiment_id
from tests.flows.waiting import wait_until

ROOT = Path(__file__).resolve().parents[1]
CLONED = ("dvc.yaml", "params.yaml", "prefect.yaml", "pyproject.toml", ".dvcignore", ".gitignore", "seq2seq_core", "flows")
MACHINE_METRICS = ("tokens_per_second", "share_of_peak", "system/")
"""Prefixes of the names of curves about the machine and its load; these are not deterministic."""
ORPHAN_SECONDS = 10.0
INSIDE_EVERY = 3
STARTING_EVERY = 4
"""One kill in ``INSIDE_EVERY`` comes while a checkpoint is written, one in ``STARTING_EVERY`` during the start-up."""
PATIENCE_SECONDS = 900.0


@dataclass(frozen=True)
class KillPlan:
    """How often a training is killed.

    Attributes:
        kills: number of kills.
        steps: number of updates of the training.
        start_up_seconds: approximate time from the start to the first update.
    """

    kills: int
    steps: int
    start_up_seconds: float


@dataclass
class Workspace:
    """A clone of the repository with a corpus.

    Attributes:
        root: the clone's folder.
        kills: number of `kill -9` that hit a trainer.
        kills_inside: number of kills that left a half-written checkpoint.
        variables: environment variables of its commands.
    """

    root: Path
    kills: int = 0
    kills_inside: int = 0
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_", "S2S_"))}
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        person = {f"GIT_{role}_{what}": "tester@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        self.variables = {**kept, **person, "PATH": path, "PYTHONPATH": str(self.root), "DVC_NO_ANALYTICS": "1"}

    @property
    def paths(self) -> Paths:
        """The paths of its files."""
        return Paths(self.root)

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Starts a command in the background; its output goes to ``<root>.log``."""
        with (self.root.parent / f"{self.root.name}.log").open("ab") as log:
            return subprocess.Popen(command, cwd=self.root, env=self.variables, stdout=log, stderr=log, start_new_session=True)

    def must(self, *command: str) -> None:
        """Runs a command; exits the script if it fails."""
        process = self.start(*command)
        if process.wait() != 0:
            sys.exit(f"{command} failed:\n{(self.root.parent / f'{self.root.name}.log').read_text()[-3000:]}")

    def trainers(self) -> list[psutil.Process]:
        """The running processes of `s2s train` in the workspace."""
        return [process for process in processes_in(self.root) if is_command(process, "s2s", "train")]

    def has_updates(self) -> bool:
        """Whether an unfinished training has logged a point."""
        journal = self.paths.training_state / "mlflow_points.jsonl"
        return journal.is_file() and journal.stat().st_size > 0

    def last_step(self) -> int:
        """The last update that an unfinished training has logged; 0 before the first."""
        journal = self.paths.training_state / "mlflow_points.jsonl"
        try:
            lines = journal.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return 0
        return max((json.loads(line)["step"] for line in lines if line.endswith("}")), default=0)

    def drafts(self) -> list[Path]:
        """Half-written files of training states."""
        return list(self.paths.training_state.glob("*/.*.draft"))

    def change(self, section: str, **values: object) -> None:
        """Edits a section of params.yaml."""
        settings = yaml.safe_load(self.paths.params.read_text(encoding="utf-8"))
        settings.setdefault(section, {}).update(values)
        self.paths.params.write_text(yaml.safe_dump(settings), encoding="utf-8")


def is_command(process: psutil.Process, *words: str) -> bool:
    """Whether a process runs a command of these words, such as `python .../bin/s2s train` or `python ... -m dvc repro ...`."""
    try:
        found = [Path(word).name for word in process.cmdline()]
    except psutil.Error:
        return False
    return any(tuple(found[first : first + len(words)]) == words for first in range(len(found)))


def processes_in(folder: Path) -> Iterator[psutil.Process]:
    """The running processes with this current directory."""
    for process in psutil.process_iter(["cwd", "status"]):
        if process.info["cwd"] == str(folder.resolve()) and process.info["status"] != psutil.STATUS_ZOMBIE:
            yield process


def make_workspace(root: Path, model: str, steps: int, kills: int) -> Workspace:
    """Makes a clone, as a user would, with a corpus of numbers and the same numbers with commas between the digits."""
    root.mkdir()
    for entry in (ROOT / name for name in CLONED):
        if entry.is_dir():
            shutil.copytree(entry, root / entry.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif entry.exists():
            shutil.copy(entry, root / entry.name)
    corpus = root / "data" / "raw" / "digits"
    corpus.mkdir(parents=True)
    for split, numbers in {"train": range(1000, 6000), "dev": range(6000, 6100), "test": range(6100, 6150)}.items():
        rows = "".join(f"{number}\t{','.join(str(number))}\n" for number in numbers)
        (corpus / f"{split}.tsv").write_text("source\ttarget\n" + rows, encoding="utf-8")
    (root / "data" / "raw" / ".gitignore").write_text("/digits\n", encoding="utf-8")
    workspace = Workspace(root)
    workspace.change("corpus", path="data/raw/digits")
    layers = {"encoder_layers": 2, "decoder_layers": 2}
    workspace.change("model", architecture=model, attention="additive", width=128, heads=4, feedforward_width=256, **layers)
    validation = {"validate_every_steps": max(10, steps // 20), "dev_sentences": 20, "patience": 0}
    workspace.change("train", max_steps=steps, warmup_steps=steps // 10, batch_tokens=1024, **validation)
    workspace.change("evaluate", beam_size=2, slice_columns=[])
    workspace.change("register", model_name="digits")
    retries = {"retries": kills + 5, "retry_delay_seconds": 0.0, "tags": []}
    runtime = {"num_threads": 1, "checkpoint_every_seconds": 0.5, "log_every_steps": 5, "progress": "plain"}
    workspace.change("runtime", **runtime, flow={"stages": {"train": retries}})
    for command in (("git", "init", "-q"), ("dvc", "init", "-q"), ("git", "add", "-A"), ("git", "commit", "-q", "-m", "clone")):
        workspace.must(*command)
    return workspace


def wait_for(holds: Callable[[], bool], workspace: Workspace, what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Waits until a condition holds; exits the script after the time limit."""
    try:
        wait_until(holds, what, seconds)
    except AssertionError as error:
        log = (workspace.root.parent / f"{workspace.root.name}.log").read_text(errors="replace")
        sys.exit(f"{workspace.root.name}: {error}\n{log[-3000:]}")


def wait_for_update(workspace: Workspace) -> None:
    """Waits until a trainer has made a new update; the journal may exist from an earlier run."""
    wait_for(lambda: bool(workspace.trainers()), workspace, "a trainer")
    begun = workspace.last_step()
    wait_for(lambda: workspace.last_step() > begun, workspace, "an update")


def train_undisturbed(workspace: Workspace) -> tuple[float, float]:
    """Runs the stages up to `s2s train`; returns the seconds of training to the first update and in total."""
    for stage in ("validate", "prepare", "tokenize"):
        workspace.must("s2s", stage)
    started = time.monotonic()
    process = workspace.start("s2s", "train")
    wait_for(lambda: workspace.has_updates() or process.poll() is not None, workspace, "the first update")
    start_up = time.monotonic() - started
    if process.wait() != 0:
        sys.exit(f"the undisturbed training failed: {workspace.root}")
    return start_up, time.monotonic() - started


def kill_trainer(workspace: Workspace, trainer: psutil.Process, plan: KillPlan, chance: random.Random) -> None:
    """Kills a trainer at a random moment of its start-up or of its training, or while it writes a checkpoint.

    Moments of training are numbers of updates, spread over the remaining ones, because the machine's speed may change.
    """

    def is_alive() -> bool:
        return trainer.is_running() and trainer.status() != psutil.STATUS_ZOMBIE

    number, before = workspace.kills, workspace.last_step()
    if number % STARTING_EVERY == STARTING_EVERY - 1:
        end = trainer.create_time() + chance.uniform(0.0, plan.start_up_seconds)
        while is_alive() and time.time() < end and workspace.last_step() == before:
            time.sleep(0.005)
    else:
        target = before + chance.uniform(1.0, 1.6 * (plan.steps - before) / (plan.kills - number + 1))
        while is_alive() and workspace.last_step() < target:
            time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 0.1))
    while number % INSIDE_EVERY == INSIDE_EVERY - 1 and is_alive() and not workspace.drafts():
        time.sleep(0.0002)
    if not is_alive():
        return
    trainer.kill()
    wait_for(lambda: not is_alive(), workspace, "the end of a killed process")
    workspace.kills += 1
    workspace.kills_inside += bool(workspace.drafts())


def disturb(workspace: Workspace, door: str, plan: KillPlan, chance: random.Random) -> None:
    """Runs a training to its end by one of the doors, and kills it several times on the way."""
    command = ("s2s", "train") if door == "train" else ("s2s", "retrain")
    if door == "train":
        for stage in ("validate", "prepare", "tokenize"):
            workspace.must("s2s", stage)
    process, killed = workspace.start(*command), set[int]()
    while process.poll() is None or not (workspace.paths.bundle / "config.json").exists():
        if process.poll() is not None:
            if door == "flow":
                sys.exit(f"the flow gave up:\n{(workspace.root.parent / f'{workspace.root.name}.log').read_text()[-3000:]}")
            process = workspace.start(*command)
        for trainer in workspace.trainers():
            if trainer.pid not in killed and workspace.kills < plan.kills:
                killed.add(trainer.pid)
                kill_trainer(workspace, trainer, plan, chance)
                if door == "train":
                    process.wait()
        time.sleep(0.02)


def read_curves(workspace: Workspace) -> list[dict[str, list[tuple[int, float]]]]:
    """The deterministic curves of each MLflow run of `train`, as (step, value) in the order of logging."""
    client = connect(workspace.paths)
    experiment = experiment_id(client, workspace.paths, load_settings(workspace.paths.params))
    runs = [run for run in client.search_runs([experiment]) if run.data.tags.get("stage") == "train"]
    return [
        {
            name: sorted((point.step, point.value) for point in client.get_metric_history(run.info.run_id, name))
            for name in run.data.metrics
            if not name.startswith(MACHINE_METRICS)
        }
        for run in runs
    ]


def differences(undisturbed: Workspace, disturbed: Workspace) -> list[str]:
    """The differences between two trainings; empty where they are equal."""
    weights = [
        hashlib.sha256((workspace.paths.bundle / "model.safetensors").read_bytes()).digest()
        for workspace in (undisturbed, disturbed)
    ]
    found = ["the weights"] if weights[0] != weights[1] else []
    (expected,), runs = read_curves(undisturbed), read_curves(disturbed)
    if len(runs) != 1:
        return [*found, f"there are {len(runs)} MLflow runs of train, expected 1"]
    found += [f"the curve {name}" for name in sorted({*expected, *runs[0]}) if expected.get(name) != runs[0].get(name)]
    twice = [name for name, points in runs[0].items() if len({step for step, _ in points}) != len(points)]
    return found + [f"{name} has a step twice" for name in twice]


def find_orphans(workspace: Workspace) -> list[str]:
    """The processes that still run ten seconds after `dvc` or the flow was killed."""
    workspace.change("train", max_steps=1_000_000)
    found = []
    for door, victim in (("retrain", "dvc"), ("retrain", "flow"), ("repro", "dvc")):
        command = ("s2s", "retrain") if door == "retrain" else ("dvc", "repro", "train")
        process = workspace.start(*command)
        wait_for_update(workspace)
        (trainer,) = workspace.trainers()
        drivers = [parent for parent in trainer.parents() if is_command(parent, "dvc") or is_command(parent, DVC_STARTER)]
        own = {*[child.pid for child in trainer.children(recursive=True)], trainer.pid}
        (psutil.Process(process.pid) if victim == "flow" else drivers[0]).kill()
        time.sleep(ORPHAN_SECONDS)
        left = [one for one in processes_in(workspace.root) if victim == "flow" or door == "repro" or one.pid in own]
        found += [f"{' '.join(command)}, {victim} killed: {' '.join(one.cmdline())[:100]} is left" for one in left]
        for one in processes_in(workspace.root):
            one.kill()
        process.kill()
        process.wait()
        wait_for(lambda: not list(processes_in(workspace.root)), workspace, "the end of every process", 60.0)
    return found


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--models", nargs="+", default=["gru", "transformer"], choices=["gru", "lstm", "rnn", "transformer"])
    parser.add_argument("--doors", nargs="+", default=["train", "flow"], choices=["train", "flow"])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    parser.add_argument("--no-orphans", action="store_true", help="leave out the killing of dvc and of the flow")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    chance, faults = random.Random(arguments.seed), list[str]()
    with tempfile.TemporaryDirectory(prefix="s2s-kills-") as folder:
        for model in arguments.models:
            undisturbed = make_workspace(Path(folder) / model, model, arguments.steps, 0)
            seconds = train_undisturbed(undisturbed)
            print(f"{model}: undisturbed {seconds[1]:.1f} s, the first update after {seconds[0]:.1f} s", flush=True)
            for door in arguments.doors:
                workspace = make_workspace(Path(folder) / f"{model}-{door}", model, arguments.steps, arguments.kills)
                disturb(workspace, door, KillPlan(arguments.kills, arguments.steps, seconds[0]), chance)
                found = differences(undisturbed, workspace)
                if workspace.kills < arguments.kills:
                    found.append(f"only {workspace.kills} kills before the end, expected {arguments.kills}: give more --steps")
                print(
                    f"{model} through {door}: {workspace.kills} kills, {workspace.kills_inside} of them inside the writing of a "
                    f"checkpoint: {'; '.join(found) or 'weights and curves are equal'}", flush=True,
                )  # fmt: skip
                faults += found
        if not arguments.no_orphans:
            found = find_orphans(make_workspace(Path(folder) / "orphans", arguments.models[0], arguments.steps, 3))
            print(f"dvc and flow killed: {'; '.join(found) or f'nothing is left after {ORPHAN_SECONDS:g} s'}")
            faults += found
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
