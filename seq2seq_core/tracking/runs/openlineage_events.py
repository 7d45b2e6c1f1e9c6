"""OpenLineage's events of a stage (specification 2-0-2): what ran, what it read and what it wrote.

See https://openlineage.io/docs/spec/object-model: a run has one event ``START`` and one of ``COMPLETE``, ``FAIL`` and ``ABORT``.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from seq2seq_core import __version__
from seq2seq_core.artifacts import Paths
from seq2seq_core.dvc_files import read_lock
from seq2seq_core.errors import Interrupted
from seq2seq_core.stage_history.stage_files import StageFiles, read_stage_files
from seq2seq_core.tracking.dvc_experiment import find_home
from seq2seq_core.tracking.runs.lineage import git_origin, git_state

EventType = Literal["START", "COMPLETE", "FAIL", "ABORT"]
SPEC = "https://openlineage.io/spec"
SCHEMA = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
PRODUCER = f"urn:seq2seq-flows:{__version__}"
NAMESPACE = "seq2seq-flows"
CODE_FOLDERS = ("seq2seq_core", "flows", "reports/code", "requirements.txt")
"""Inputs that are code, which the commit names."""


@dataclass(frozen=True)
class StageRun:
    """One execution of a stage.

    Attributes:
        run_id: of this execution.
        job: ``MODEL.STAGE``.
        model: name of the registered model.
        graph_key: names the run of the graph that the execution belongs to; empty: none.
        inputs: what the stage reads, as datasets.
        outputs: what it writes.
        facets: of the job.
    """

    run_id: str
    job: str
    model: str
    graph_key: str
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    facets: dict[str, Any]


def describe_stage_run(stage: str, model: str, graph_key: str, paths: Paths) -> StageRun:
    """An execution of a stage that begins now.

    Args:
        stage: the stage's name.
        model: name of the registered model.
        graph_key: names the run of the graph; empty: none.
        paths: the workspace; reads ``dvc.yaml``, ``dvc.lock`` and the git commit.
    """
    files = next((one for one in read_stage_files(paths.root) if one.name == stage), StageFiles(stage, (), ()))
    # Only under DVC are the digests in dvc.lock those of the inputs that lie there now.
    digests = _locked_digests(paths.root) if "DVC_STAGE" in os.environ else {}
    home = find_home(paths).root.resolve()
    return StageRun(
        run_id=str(uuid.uuid4()),
        job=f"{model}.{stage}",
        model=model,
        graph_key=graph_key,
        inputs=[_dataset(home, path, digests) for path in files.inputs if not path.startswith(CODE_FOLDERS)],
        outputs=[_dataset(home, path, {}) for path in files.outputs],
        facets=_job_facets(paths.root),
    )


def make_event(kind: EventType, run: StageRun, error: BaseException | None = None) -> dict[str, Any]:
    """An event of an execution, now.

    Args:
        kind: of the event.
        run: the execution.
        error: why it failed; None: it did not.
    """
    facets: dict[str, Any] = {}
    if run.graph_key:
        parent = {"run": {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, run.graph_key))}}
        parent["job"] = {"namespace": NAMESPACE, "name": run.model}
        facets["parent"] = _facet("1-0-1/ParentRunFacet.json", **parent)
    if error is not None:
        message = f"{type(error).__name__}: {error}"
        facets["errorMessage"] = _facet("1-0-1/ErrorMessageRunFacet.json", message=message, programmingLanguage="Python")
    return {
        "eventType": kind,
        "eventTime": datetime.now(UTC).isoformat(),
        "run": {"runId": run.run_id, "facets": facets},
        "job": {"namespace": NAMESPACE, "name": run.job, "facets": run.facets},
        "inputs": run.inputs,
        "outputs": run.outputs,
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
    }


def end_event(run: StageRun, error: BaseException | None) -> dict[str, Any]:
    """The last event of an execution.

    Args:
        run: the execution.
        error: what ended it; None: it is complete.
    """
    if error is None or (isinstance(error, SystemExit) and not error.code):
        return make_event("COMPLETE", run)
    return make_event("ABORT" if isinstance(error, (Interrupted, KeyboardInterrupt)) else "FAIL", run, error)


def _locked_digests(root: Path) -> dict[str, str]:
    """DVC's digest of each output in ``dvc.lock``, and of the raw data that stages read, by path."""
    entries = [entry for stage in read_lock(root).values() for kind in ("deps", "outs") for entry in stage.get(kind, [])]
    return {entry["path"]: str(entry["md5"]) for entry in entries if "md5" in entry}


def _dataset(home: Path, path: str, digests: Mapping[str, str]) -> dict[str, Any]:
    """A file or folder, named as OpenLineage names local ones; an input has the digest of the output that holds it."""
    owner = next((one for one in (path, *map(str, Path(path).parents)) if one in digests), None)
    version = {"version": _facet("1-0-1/DatasetVersionDatasetFacet.json", datasetVersion=digests[owner])} if owner else {}
    return {"namespace": "file", "name": str(home / path), "facets": version}


def _job_facets(root: Path) -> dict[str, Any]:
    kind = {"processingType": "BATCH", "integration": "SEQ2SEQ_FLOWS", "jobType": "TASK"}
    facets = {"jobType": _facet("2-0-3/JobTypeJobFacet.json", **kind)}
    commit, origin = git_state(root).get("git_commit"), git_origin(root)
    if commit and origin:
        place = {"type": "git", "url": origin, "version": commit}
        facets["sourceCodeLocation"] = _facet("1-0-1/SourceCodeLocationJobFacet.json", **place)
    return facets


def _facet(schema: str, **values: Any) -> dict[str, Any]:
    name = schema.partition("/")[2].removesuffix(".json")
    return {"_producer": PRODUCER, "_schemaURL": f"{SPEC}/facets/{schema}#/$defs/{name}", **values}
