"""The last success of each stage: why it ran, when, and what it cost; written by the stage itself, through either door."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.console import format_seconds
from seq2seq_core.errors import first_line
from seq2seq_core.redaction.redactor import redact_values
from seq2seq_core.stage_history.cost_meter import CostMeter
from seq2seq_core.stage_history.input_listing import keep_inputs
from seq2seq_core.stage_history.stage_files import StageFiles, read_stage_files
from seq2seq_core.stage_history.stage_reason import StageReason
from seq2seq_core.stage_history.stage_reasons import CODE_FOLDER, LastSuccesses
from seq2seq_core.stage_table import CODE

logger = logging.getLogger(__name__)
_CURRENT: ContextVar[tuple[str, tuple[str, ...]] | None] = ContextVar("stage_at_work", default=None)
ALWAYS = "always: it tells which others are stale"
ASKED_FOR = "asked for: nothing that it reads has changed"


@dataclass(frozen=True)
class Execution:
    """A successful execution of a stage.

    Attributes:
        stage: its name.
        ended: in seconds since 1970.
        seconds: duration.
        cpu_seconds: of the stage's process and those that it started.
        why: why it ran, a line each.
        peak_bytes: largest memory of one of its processes; 0: not known.
    """

    stage: str
    ended: float
    seconds: float
    cpu_seconds: float
    why: tuple[str, ...]
    peak_bytes: int = 0

    @property
    def cost(self) -> str:
        """Duration, processor time and day: ``3 min 20 s, 5 min 10 s of CPU, 2026-11-30``."""
        day = f"{datetime.fromtimestamp(self.ended, UTC):%Y-%m-%d}"
        return f"{format_seconds(self.seconds)}, {format_seconds(self.cpu_seconds)} of CPU, {day}"


def read_execution(stage: str, paths: Paths) -> Execution | None:
    """The last success of a stage in this workspace; None: there is none that can be read.

    Args:
        stage: its name.
        paths: the workspace; reads ``.s2s/executions``.
    """
    try:
        values = json.loads((paths.executions / f"{stage}.json").read_text(encoding="utf-8"))
        numbers = (float(values["ended"]), float(values["seconds"]), float(values["cpu_seconds"]))
        return Execution(str(values["stage"]), *numbers, tuple(map(str, values["why"])), int(values.get("peak_bytes", 0)))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_why(stage: str, paths: Paths) -> tuple[str, ...]:
    """Why a stage runs now, in its own process; elsewhere, why it ran when it succeeded last.

    Args:
        stage: its name.
        paths: the workspace.
    """
    current = _CURRENT.get()
    if current is not None and current[0] == stage:
        return current[1]
    last = read_execution(stage, paths)
    return last.why if last is not None else ()


@contextmanager
def remembered(stage: str, paths: Paths, home: Paths) -> Iterator[list[StageReason]]:
    """The reasons why a stage runs now, for the ``with`` block; at its success the execution and its inputs are kept.

    What goes wrong here is only a warning: the stage does not need it.

    Args:
        stage: its name; a command that is no stage of ``dvc.yaml`` is not remembered.
        paths: the workspace.
        home: the workspace that keeps the records.
    """
    files = next((one for one in read_stage_files(paths.root) if one.name == stage), None)
    if files is None:
        yield []
        return
    reasons = [] if stage == CODE.name else _explain(stage, paths, home)
    why = (ALWAYS,) if stage == CODE.name else tuple(reason.text for reason in reasons) or (ASKED_FOR,)
    meter = CostMeter()
    token = _CURRENT.set((stage, why))
    try:
        yield reasons
    finally:
        _CURRENT.reset(token)
    try:
        cost = meter.read()
        _keep(Execution(stage, time.time(), cost.seconds, cost.cpu_seconds, why, cost.peak_bytes), files, paths, home)
    except Exception as error:  # noqa: BLE001 - the stage has succeeded, whatever is wrong with what is kept of it
        logger.warning("what %s cost and read is not kept: %s", stage, first_line(error) or type(error).__name__)


def _explain(stage: str, paths: Paths, home: Paths) -> list[StageReason]:
    try:
        successes = LastSuccesses.read(paths, home)
        reasons = successes.explain(stage)
        successes.states.save()
        return reasons
    except Exception as error:  # noqa: BLE001 - whatever is wrong with dvc.lock, the stage does not need it
        logger.debug("no reasons for %s: %s", stage, error)
        return []


def _keep(execution: Execution, files: StageFiles, paths: Paths, home: Paths) -> None:
    content = json.dumps(redact_values(asdict(execution)), ensure_ascii=False, indent=1) + "\n"
    atomic.write_text(home.executions / f"{execution.stage}.json", content)
    made = {output for one in read_stage_files(paths.root) for output in one.outputs}
    raw = [name for name in files.inputs if name not in made and not name.startswith(CODE_FOLDER)]
    if raw and execution.stage != CODE.name:
        keep_inputs(raw, paths, home)
