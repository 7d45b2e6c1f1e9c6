"""The output folder of a bulk job: new, of the same job, or refused. Nothing outside of it is written or deleted."""

from __future__ import annotations

import logging
import math
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from seq2seq_core.atomic import draft_of
from seq2seq_core.bulk.input_files import shard_stem
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

_SHARD_NAME = re.compile(r"(?P<stem>.+)-(?P<number>[0-9]{5,18})\.(?P<format>[a-z.]+)", re.DOTALL)


def open_folder(folder: Path, job: JobRecord, restarts: bool, renews: bool = False) -> tuple[Manifest | None, tuple[str, ...]]:
    """The state of a job (None: it begins), and the files of an earlier one that :func:`begin` deletes. Changes nothing.

    Args:
        folder: the output folder.
        job: what is asked for.
        restarts: whether an earlier job's output is deleted.
        renews: whether it is deleted where that was another job.

    Raises:
        UserError: the folder holds another job, files of no job, or a symbolic link in place of a folder of shards.
    """
    for parent in {(folder / record.name).parent for record in job.inputs}:
        check_no_link(folder, parent)
    manifest = _read_earlier(folder, restarts or renews)
    if manifest is None:
        return None, ()
    changes = differences(manifest.job, job)
    if restarts or (renews and changes):
        return None, stale_files(manifest, folder)
    check_same(folder, changes)
    manifest, lost = keep_whole_shards(manifest, folder)
    if lost:
        logger.warning("%s: %d shards are missing or changed and are made again, such as %s", folder, len(lost), lost[0])
    if manifest.shards and not manifest.is_complete:
        rows = sum(shard.num_rows for shard in manifest.shards.values())
        logger.info("%s: going on behind %d of %d rows", folder, rows, job.num_rows)
    return manifest, manifest.stale


def stale_files(manifest: Manifest, folder: Path) -> tuple[str, ...]:
    """The files of a job that another one replaces.

    Args:
        manifest: of the earlier job.
        folder: the output folder.
    """
    return tuple(sorted({*_own_files(manifest.job, folder), *manifest.stale}))


def begin(folder: Path, manifest: Manifest, stale: Sequence[str]) -> Manifest:
    """Writes the manifest of a job, and deletes what an earlier one left; the manifest without that.

    The manifest lists the files until they are deleted, so that an interrupted run can be followed by another.

    Args:
        folder: the output folder.
        manifest: of the job that begins or goes on.
        stale: the files to delete.

    Raises:
        UserError: a file is behind a symbolic link.
    """
    manifest = manifest.model_copy(update={"stale": tuple(stale)})
    manifest.write(folder)
    if not stale:
        return manifest
    for name in stale:
        check_no_link(folder, (folder / name).parent)
        (folder / name).unlink(missing_ok=True)
    manifest = manifest.model_copy(update={"stale": ()})
    manifest.write(folder)
    logger.info("%s: the output of the earlier job is deleted", folder)
    return manifest


def check_no_link(folder: Path, inside: Path) -> None:
    """Checks that a folder of shards does not lead out of the output folder.

    Args:
        folder: the output folder; may itself be a link.
        inside: the same, or a folder in it.

    Raises:
        UserError: it is a symbolic link, or in one.
    """
    while inside != folder:
        if inside.is_symlink():
            raise UserError(f"{inside}: is a symbolic link; expected a folder, as shards are written nowhere but in {folder}")
        inside = inside.parent


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


def _read_earlier(folder: Path, restarts: bool) -> Manifest | None:
    """The manifest of the folder; None: it is empty, or a new job may begin beside its files."""
    try:
        manifest = read_manifest(folder)
    except UserError as error:
        if not restarts:
            raise
        logger.warning("%s; the new job deletes no file, as none can be told to be an earlier job's", error)
        return None
    own = {LOCK_NAME, draft_of(folder / MANIFEST_NAME).name}
    if manifest is None and (others := sorted(path.name for path in folder.iterdir() if path.name not in own)):
        raise UserError(f"{folder}: must be a new or empty folder, or that of an earlier job, got one with {others[0]}")
    return manifest


def _own_files(job: JobRecord, folder: Path) -> Iterator[str]:
    """The files of a folder that have the name of a shard of a job, or of its draft."""
    numbers = {(shard_stem(one.name), one.output_format): math.ceil(one.num_rows / job.shard_rows) for one in job.inputs}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = (Path(parent) / name).relative_to(folder)
            shard = path.with_name(name.removeprefix(".").removesuffix(".draft")) if name.endswith(".draft") else path
            if (found := _SHARD_NAME.fullmatch(shard.as_posix())) and int(found["number"]) < numbers.get(
                (found["stem"], found["format"]), 0
            ):
                yield path.as_posix()
