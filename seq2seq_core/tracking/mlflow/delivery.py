"""Delivery of the records that earlier processes of a workspace could not send, because MLflow did not take them."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_core.artifacts import Paths
from seq2seq_core.file_lock import hold_lock
from seq2seq_core.tracking.dvc_experiment import find_home
from seq2seq_core.tracking.mlflow.address import displayed_uri
from seq2seq_core.tracking.mlflow.outbox import LeftOutbox, find_left, keep_records, read_left
from seq2seq_core.tracking.mlflow.records import Record, count_texts, join_points, send_record
from seq2seq_core.tracking.mlflow.request_errors import is_temporary
from seq2seq_core.tracking.mlflow.store import connect, is_answering, short_reason

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

logger = logging.getLogger(__name__)
MOST_TRIES = 10
"""Tries after which a record is dropped that an MLflow which answers does not take."""
RETRY_SECONDS = 3600.0
"""Shortest time between two such tries: the stages of one run do not use them up."""

TOLD_VARIABLE = "S2S_TOLD_OUTBOX"
"""The last message about an outbox of another store; child processes inherit it and do not repeat it."""


class _BusyOutbox(Exception):
    """Another process delivers the outbox."""


def connect_and_deliver(paths: Paths, wait_seconds: float) -> MlflowClient:
    """A client of the configured store, which has everything of earlier processes that it takes.

    Args:
        paths: the workspace, whose ``.s2s/mlflow_outbox`` is emptied.
        wait_seconds: longest wait for a store that does not answer.

    Raises:
        TrackingUnreachable: MLflow does not answer at the start; if it stops answering later, the rest stays in the outbox.
        UserError: the address is wrong, or the server wants credentials.
    """
    client, store = connect(paths, wait_seconds), displayed_uri(paths)
    foreign: dict[str, list[Path]] = {}
    for left in find_left(find_home(paths).mlflow_outbox):
        if left.addressee is not None and left.addressee.store.rstrip("/") != store.rstrip("/"):
            foreign.setdefault(left.addressee.store, []).append(left.folder)
            continue
        try:
            with _locked(left.folder) as locked:
                keep_records(locked, _deliver(client, locked))
        except _BusyOutbox:
            continue
        except Exception as error:  # noqa: BLE001 - whatever it is, the stage that begins does not need these records
            logger.warning("MLflow does not take what it missed (%s); it follows with the next run", short_reason(error))
            if not is_answering(client):
                break
    for other, folders in foreign.items():
        _tell_once(
            f"what MLflow at {other} missed waits until the workspace uses it again (it uses {store} now); to drop it, remove: "
            + " ".join(map(str, folders))
        )
    return client


def cancel_ends(run_id: str, paths: Paths) -> None:
    """Removes the unsent ends of a run that goes on: they are over.

    Args:
        run_id: MLflow's id of the run.
        paths: the workspace; changes ``.s2s/mlflow_outbox``.
    """
    for left in find_left(find_home(paths).mlflow_outbox):
        if left.addressee is not None and left.addressee.run_id == run_id:
            try:
                with _locked(left.folder) as locked:
                    keep_records(locked, [record for record in locked.records if record.kind != "end"])
            except _BusyOutbox:
                continue


def _tell_once(message: str) -> None:
    """Warns once for this process and its children."""
    if os.environ.get(TOLD_VARIABLE) != message:
        os.environ[TOLD_VARIABLE] = message
        logger.warning("%s", message)


@contextmanager
def _locked(folder: Path) -> Iterator[LeftOutbox]:
    """The content of an outbox that no other process delivers during the ``with`` block."""
    with hold_lock(folder / "lock", _BusyOutbox):
        yield read_left(folder)


def _deliver(client: MlflowClient, left: LeftOutbox) -> list[Record]:
    """Sends the records of an outbox; returns those to send later and warns of what MLflow rejects."""
    if left.addressee is None or not left.records:
        return []
    run_id, records = left.addressee.run_id, list(join_points(left.records))
    run = _find_run(client, run_id)
    if run is None:
        logger.warning("MLflow has no run %s any more; dropped: %s", run_id, count_texts(one.describe() for one in records))
        return []
    name = str(run.info.run_name or run_id)
    sent, kept = [], []
    for record in records:
        if record.tries and time.time() < record.tried_at + RETRY_SECONDS:
            kept.append(record)
            continue
        if record.kind == "end" and (run.info.end_time or 0) > record.content["end_time"]:
            continue  # the run has gone on and ended since
        try:
            send_record(client, run_id, record, left.folder)
        except Exception as error:
            if not is_temporary(error):
                logger.warning("MLflow did not take %s: %s", record.describe(), short_reason(error))
            elif is_answering(client):
                kept += _keep(record, error, name)
            else:
                raise
        else:
            sent.append(record.describe())
    if sent:
        logger.info("MLflow has what it missed of the run %s: %s", name, count_texts(sent))
    return kept


def _find_run(client: MlflowClient, run_id: str) -> Run | None:
    """A run; None where it was deleted."""
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    return run if run.info.lifecycle_stage == "active" else None


def _keep(record: Record, error: Exception, run_name: str) -> list[Record]:
    """The record with one more try, for a later run; nothing after the last try."""
    tries = record.tries + 1
    if tries >= MOST_TRIES:
        logger.warning(
            "MLflow has not taken %s of the run %s in %d tries (%s); dropped",
            record.describe(), run_name, tries, short_reason(error),
        )  # fmt: skip
        return []
    logger.warning(
        "MLflow answers, but does not take %s of the run %s (%s); a later run tries again, try %d of %d",
        record.describe(), run_name, short_reason(error), tries + 1, MOST_TRIES,
    )  # fmt: skip
    return [replace(record, tries=tries, tried_at=time.time())]
