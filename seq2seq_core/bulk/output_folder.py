"""The output folder of a bulk job: new, of the same job, or refused."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from seq2seq_core.bulk.input_files import shard_names
from seq2seq_core.bulk.job_manifest import (
    LOCK_NAME,
    MANIFEST_NAME,
    JobRecord,
    Manifest,
    differences,
    keep_whole_shards,
    read_manifest,
)
from seq2seq_core.errors import UserError

logger = logging.getLogger(__name__)


def open_manifest(folder: Path, job: JobRecord, restarts: bool) -> Manifest | None:
    """The state of a job; None: it begins.

    Args:
        folder: the output folder.
        job: what is asked for.
        restarts: whether an earlier job's output is deleted.

    Raises:
        UserError: the folder holds another job, or files of no job.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        if others := [path for path in folder.iterdir() if path.name != LOCK_NAME]:
            raise UserError(f"{folder}: must be a new or empty folder, or that of an earlier job, got one with {others[0].name}")
        return None
    if restarts:
        _delete(manifest, folder)
        return None
    check_same(folder, differences(manifest.job, job))
    manifest, lost = keep_whole_shards(manifest, folder)
    if lost:
        logger.warning("%s: %d shards are missing or changed and are made again, such as %s", folder, len(lost), lost[0])
    if manifest.shards and not manifest.is_complete:
        rows = sum(shard.num_rows for shard in manifest.shards.values())
        logger.info("%s: going on behind %d of %d rows", folder, rows, job.num_rows)
    return manifest


def check_same(folder: Path, changes: Sequence[str]) -> None:
    """Refuses to go on with a job that is another one now.

    Args:
        folder: the output folder.
        changes: a line for each difference.

    Raises:
        UserError: there are differences.
    """
    if changes:
        raise UserError(
            f"{folder}: holds the output of another job, and one output must come of one model, one input and the same options:\n"
            + "".join(f"  {line}\n" for line in changes)
            + "give these as they were to go on with it, another folder, or --restart to delete its output and begin anew"
        )


def _delete(manifest: Manifest, folder: Path) -> None:
    """Deletes all that a job may have written, and nothing else."""
    for record in manifest.job.inputs:
        for name in shard_names(record.name, record.output_format, record.num_rows, manifest.job.shard_rows):
            path = folder / name
            for file in (path, path.with_name(f".{path.name}.draft")):
                file.unlink(missing_ok=True)
    (folder / MANIFEST_NAME).unlink()
    logger.info("%s: the output of the earlier job is deleted", folder)
