"""What a flow hands to a worker for one stage, and what the worker gives back; both travel through the Prefect server."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

FLOW = "stage"
"""The name of the flow that a worker runs."""
ANSWER_TYPE, ANSWER_KEY = "s2s-stage-answer", "stage-answer"
"""Type and key of the artifact that holds the answer."""
BEAT_LABEL = "s2s.beat"
"""The label of a flow run that changes as long as its process lives."""
BEATS = 6
"""Signs of life in the time after which a silent stage counts as lost."""


class StageOrder(BaseModel):
    """A stage to run on another machine.

    Attributes:
        stage: its name.
        why: the reason why it may have to run.
        is_forced: whether it runs even where it is up to date.
        repository: address of the git repository, without credentials.
        commit: the commit to check out.
        folder: the workspace in the repository; empty: its top.
        inputs: stages and ``.dvc`` files whose outputs the stage reads.
        params: the text of ``params.yaml`` for this run, without the section ``runtime.flow.notify``.
        lock: the text of ``dvc.lock``; empty where there is none.
        sources: the texts of the ``.dvc`` files, by path.
        graph_run: the name of the run of the graph, as the stages get it.
        parent_run: the id of the Prefect flow run that waits for the answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    why: str
    is_forced: bool
    repository: str
    commit: str
    folder: str
    inputs: list[str]
    params: str
    lock: str
    sources: dict[str, str]
    graph_run: str
    parent_run: str


class StageAnswer(BaseModel):
    """The end of a stage on another machine.

    Attributes:
        state: as in the report of a stage.
        reason: why it ran, or the message of its failure.
        entry: its entry in ``dvc.lock``; empty after a failure.
        files: the texts of the small files that DVC does not keep, by path: the receipt, and what the report of the run reads.
        kind: the kind of a failure.
        exit_code: the exit code of a failure.
        retryable: whether another attempt can succeed.
        is_in_log: whether the stage's own lines have said the failure.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Literal["ran", "cached", "failed", "cancelled"]
    reason: str
    entry: dict[str, Any] = {}
    files: dict[str, str] = {}
    kind: str = ""
    exit_code: int = 0
    retryable: bool = False
    is_in_log: bool = False
