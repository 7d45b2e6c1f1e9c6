"""The reproduction of a registered version: its code, its corpus, the whole graph, and the comparison."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.dvc.command import Dvc, refusal
from flows.dvc.repository import check_repository
from flows.reproduction.clean_copy import check_out, clean_folder
from flows.reproduction.restored_data import restore_corpus, restore_parents
from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.model_seal import WAY_OUT
from seq2seq_core.config.settings import Settings, load_settings
from seq2seq_core.config.yaml_text import parse_document, write_document
from seq2seq_core.console import format_seconds
from seq2seq_core.errors import UserError
from seq2seq_core.lineage.lineage_record import describe_stages
from seq2seq_core.lineage.lineage_storage import Lineage, read_lineage
from seq2seq_core.lineage.lookup import find_reference
from seq2seq_core.lineage.reproduction_record import Reproduction, judge_reproduction, record_reproduction
from seq2seq_core.stage_history.stage_files import StageFiles, find_maker, read_stage_files
from seq2seq_core.sweep.dotted import put_setting
from seq2seq_core.tracking.mlflow.address import VARIABLE, tracking_uri
from seq2seq_core.tracking.runs.graph_run import KEY_VARIABLE

EXPERIMENT_SUFFIX = " (reproductions)"
"""Ending of the name of the MLflow experiment that holds the runs of reproductions."""

logger = logging.getLogger(__name__)


def reproduce_version(reference: str, settings: Settings, paths: Paths, into: Path | None, tolerance: float) -> Reproduction:
    """Makes a version again in a clean copy of its commit, and records the result with it.

    Args:
        reference: of a registered version, as :func:`~seq2seq_core.lineage.lookup.find_reference` takes it.
        settings: of this workspace, whose registry has the version.
        paths: this workspace.
        into: a new or empty folder for the copy, which stays; None for one that is removed.
        tolerance: largest difference of a weight where the machine is another.

    Raises:
        UserError: the version has no lineage, or a statement of it does not hold, its commit is not here, its corpus has changed,
            or a stage failed.
        BundleError: the version's bundle is damaged.
        TrackingUnreachable: MLflow does not answer.
    """
    lineage = read_lineage(find_reference(reference, settings, paths), paths)
    if faults := lineage.faults(paths):
        listed = "\n  ".join(faults)
        raise UserError(f"the lineage has changed since it was recorded, so that nothing is run by it:\n  {listed}\n{WAY_OUT}")
    patch = lineage.read_patch(paths)
    with clean_folder(paths, into) as folder:
        logger.info("%s: a clean copy of commit %s in %s", lineage.label, lineage.record["code"].get("commit"), folder)
        copy = check_out(lineage, patch, paths, folder)
        _write_settings(lineage, copy, settings)
        stages = read_stage_files(copy.root)
        dvc = Dvc(copy.root, _variables(copy, folder, paths))
        check_repository(dvc)
        restore_corpus(lineage, paths, copy, dvc, logger.info)
        restore_parents(lineage, paths, copy)
        seconds = _run_graph(stages, copy, dvc)
        logger.info("comparing every output with that of %s", lineage.label)
        runtime = load_settings(copy.params).runtime
        result = judge_reproduction(lineage, describe_stages(stages, copy), copy, runtime, paths, tolerance, seconds)
    record_reproduction(result, lineage, paths)
    return result


def _write_settings(lineage: Lineage, copy: Paths, settings: Settings) -> None:
    """Gives the copy the version's settings; of section ``runtime``, which changes no result, it gets the threads and addresses."""
    record: Mapping[str, Any] = lineage.record["settings"]
    if not copy.params.is_file():
        atomic.write_text(copy.params, record["text"])
    document = parse_document(copy.params.read_text(encoding="utf-8"))
    machine = lineage.record["machine"]
    own = {
        "runtime.tracking_uri": "",
        "runtime.openlineage_url": None,
        "runtime.experiment": settings.runtime.experiment.removesuffix(EXPERIMENT_SUFFIX) + EXPERIMENT_SUFFIX,
        "runtime.num_threads": min(int(machine.get("threads") or 1), os.cpu_count() or 1),
    }
    for name, value in own.items():
        if value is not None:
            put_setting(document, name, value)
        elif isinstance(document.get("runtime"), dict):
            document["runtime"].pop(name.partition(".")[2], None)
    atomic.write_text(copy.params, write_document(document))


def _variables(copy: Paths, folder: Path, paths: Paths) -> dict[str, str]:
    """The environment of the stages: the code of the copy, this workspace's MLflow, and no outer run."""
    search = os.pathsep.join(filter(None, (str(copy.root), str(folder), os.environ.get("PYTHONPATH", ""))))
    return {"PYTHONPATH": search, VARIABLE: tracking_uri(paths), KEY_VARIABLE: "", "PYTHONDONTWRITEBYTECODE": "1"}


def _run_graph(stages: list[StageFiles], copy: Paths, dvc: Dvc) -> float:
    """Executes every stage up to the served bundle, without any cached output; returns the seconds."""
    served = copy.served.relative_to(copy.root).as_posix()
    maker = find_maker(stages, served)
    if maker is None:
        raise UserError(f"{copy.root}/dvc.yaml: no stage writes {served}; expected the stage `export`")
    command = ["repro", "--force", "--no-run-cache", "--no-commit", maker.name]
    started = time.monotonic()
    result = dvc.run(command, logger.info)
    if result.exit_code != 0:
        raise refusal(command, result)
    seconds = time.monotonic() - started
    logger.info("the graph ran in %s", format_seconds(seconds))
    return seconds
