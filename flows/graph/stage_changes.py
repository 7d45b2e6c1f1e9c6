"""The reasons why stages are stale, in the words of somebody who edits files: DVC names sections, folders and digests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from flows.graph.stage_graph import GraphStatus, is_own_stage
from seq2seq_core.artifacts import PARAMS_FILE, Paths
from seq2seq_core.stage_history import stage_reason
from seq2seq_core.stage_history.stage_reason import StageReason
from seq2seq_core.stage_history.stage_reasons import CODE_FOLDER, LastSuccesses

NEVER_RUN = stage_reason.NEVER_RUN.text


def explain_changes(status: GraphStatus, root: Path) -> GraphStatus:
    """The status with each stage's changes in plain words: "never run", single settings, functions, rows.

    Args:
        status: from DVC.
        root: the workspace; reads ``dvc.lock``, ``params.yaml``, the digests of the code as they lie there, and the corpus.
    """
    successes = LastSuccesses.read(Paths(root))
    changes = {
        name: tuple(reason.text for reason in explain_stage(name, lines, successes)) if is_own_stage(name) else lines
        for name, lines in status.changes.items()
    }
    return replace(status, changes=changes)


def explain_stage(name: str, lines: Sequence[str], successes: LastSuccesses) -> list[StageReason]:
    """A stage's changes in plain words.

    Args:
        name: the stage's.
        lines: the changes as DVC names them.
        successes: what the stages ran with, and what they would run with.
    """
    if not isinstance(successes.lock.get(name), dict):
        return [stage_reason.NEVER_RUN]
    own = successes.explain_settings_and_code(name)
    others = [reason for line in lines for reason in _explain_line(name, line, successes, is_explained=bool(own))]
    return [*others, *own]


def _explain_line(name: str, line: str, successes: LastSuccesses, *, is_explained: bool) -> Iterator[StageReason]:
    """One of DVC's lines, unless it only says that settings or code have changed and ``is_explained``."""
    place, _, change = line.rpartition(" ")
    if line.startswith(f"{PARAMS_FILE} "):
        if not is_explained:
            yield StageReason("setting", line)
    elif line.startswith(CODE_FOLDER):
        return
    elif line.startswith("output "):
        yield StageReason("output", line)
    elif change == "modified" and successes.is_raw_input(name, place):
        yield from successes.explain_dependency(name, place) or [StageReason("file", line)]
    else:
        yield StageReason("output" if successes.is_made(place) else "other", line)
