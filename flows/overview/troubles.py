"""What is wrong in a workspace, as far as its own files and disk tell; nothing is changed."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import psutil

from flows.dvc.locks import list_dead_locks
from flows.dvc.one_run_settings import original_file
from flows.processes.workspace_lock import find_holder
from seq2seq_core.artifacts import LOCK_FILE, Paths
from seq2seq_core.config.yaml_text import YamlError
from seq2seq_core.dvc_files import load_stages
from seq2seq_core.outcome import Outcome, read_outcome
from seq2seq_core.stage_table import STAGES

GRAPH_FILE = "dvc.yaml"
LOW_BYTES = 2 << 30
"""Free space below which a run is likely to end on a full disk."""
MESSAGE_LINES = 3


@dataclass(frozen=True)
class Trouble:
    """Something that is wrong.

    Attributes:
        text: what is wrong, and where.
        mend: what to do, often a command.
    """

    text: str
    mend: str

    def describe(self) -> str:
        """Both in one line."""
        return f"{self.text.removesuffix('.')}; {self.mend}"


def find_troubles(paths: Paths, fresh: Collection[str] = ()) -> Iterator[Trouble]:
    """What is wrong, the most urgent first.

    Args:
        paths: the workspace.
        fresh: stages that are known to be up to date: a failure of theirs is over, because its cause was taken back.
    """
    yield from _graph(paths)
    yield from _stages(paths, fresh)
    yield from _outbox(paths)
    holder = find_holder(paths)
    if holder is None and original_file(paths).is_file():
        yield Trouble("params.yaml has the settings of a run that was killed", "the next `s2s retrain` puts it back")
    for line in list_dead_locks(paths.root):
        yield Trouble(line, "the next `s2s retrain` releases it")


def _graph(paths: Paths) -> Iterator[Trouble]:
    """Files of the graph that cannot be read, and stages that have run here and that it lacks now."""
    stages = dict[str, Mapping[str, object]]()
    for name in (GRAPH_FILE, LOCK_FILE):
        try:
            stages[name] = load_stages(paths.root / name)
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError, YamlError) as error:
            mend = f"mend it (git's marks of a merge, if there are any), or `git checkout {name}` takes the committed one"
            yield Trouble(f"{name} cannot be read: {error}", mend)
    graph, lock = stages.get(GRAPH_FILE), stages.get(LOCK_FILE, {})
    lost = [stage.name for stage in STAGES if graph is not None and stage.name in lock and stage.name not in graph]
    if lost:
        mend = f"`git checkout {GRAPH_FILE}` takes the committed one"
        yield Trouble(f"{GRAPH_FILE} lacks the stage {', '.join(lost)}, which has run here: nothing runs it now", mend)


def _stages(paths: Paths, fresh: Collection[str]) -> Iterator[Trouble]:
    """Stages whose last execution did not succeed."""
    for stage in STAGES:
        outcome = read_outcome(paths.outcomes, stage.name)
        if (
            stage.name in fresh
            or outcome is None
            or outcome.kind == "ok"
            or (outcome.kind == "running" and psutil.pid_exists(outcome.pid))
        ):
            continue
        if outcome.kind == "running":
            yield Trouble(f"{stage.name} was killed (process {outcome.pid})", "the same run again goes on from what was saved")
        else:
            message = " ".join(outcome.message.splitlines()[:MESSAGE_LINES])
            yield Trouble(f"{stage.name} {_word(outcome)}: {message}", _mend(outcome))


def _word(outcome: Outcome) -> str:
    return {"interrupted": "was stopped", "crash": "crashed"}.get(outcome.kind, f"failed ({outcome.kind.replace('_', ' ')})")


def _mend(outcome: Outcome) -> str:
    if outcome.kind == "crash":
        return "the traceback is in .s2s/logs/crash.txt"
    return "the same run again may help" if outcome.retryable else "mend it, then run again"


def find_low_disk(paths: Paths) -> Iterator[Trouble]:
    """Little free space on the workspace's disk.

    Args:
        paths: the workspace.
    """
    free = shutil.disk_usage(paths.root).free
    if free < LOW_BYTES:
        yield Trouble(f"the disk has {free / 1e9:.1f} GB left", "`dvc gc --workspace` removes old caches")


def _outbox(paths: Paths) -> Iterator[Trouble]:
    """Records that wait for MLflow."""
    if not paths.mlflow_outbox.is_dir():
        return
    from seq2seq_core.tracking.mlflow.outbox import find_left

    waiting = [len(left.records) for left in find_left(paths.mlflow_outbox) if left.records]
    if waiting:
        text = f"{sum(waiting)} records of {len(waiting)} run(s) wait for MLflow in .s2s/mlflow_outbox"
        yield Trouble(text, "the next run sends them, if MLflow answers")
