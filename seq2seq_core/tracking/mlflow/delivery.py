"""Delivery of the records that earlier processes of a workspace could not send, because MLflow did not answer."""

from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING

from seq2seq_core.artifacts import Paths
from seq2seq_core.file_lock import hold_lock
from seq2seq_core.tracking.dvc_experiment import find_home
from seq2seq_core.tracking.mlflow.address import displayed_uri
from seq2seq_core.tracking.mlflow.outbox import LeftOutbox, find_left, read_left
from seq2seq_core.tracking.mlflow.records import count_texts, join_points, send_record
from seq2seq_core.tracking.mlflow.store import connect, is_network_error, short_reason

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger(__name__)


class _BusyOutbox(Exception):
    """Another process delivers the outbox."""


def connect_and_deliver(paths: Paths, wait_seconds: float) -> MlflowClient:
    """A client of the configured store, which has everything that earlier processes could not send.

    Args:
        paths: the workspace, whose ``.s2s/mlflow_outbox`` is emptied.
        wait_seconds: longest wait for a store that does not answer.

    Raises:
        TrackingUnreachable: MLflow does not answer at the start; if it stops answering later, the rest stays in the outbox.
        UserError: the address is wrong, or the server wants credentials.
    """
    client, store = connect(paths, wait_seconds), displayed_uri(paths)
    for left in find_left(find_home(paths).mlflow_outbox):
        if left.addressee is not None and left.addressee.store != store:
            continue
        try:
            with hold_lock(left.folder / "lock", _BusyOutbox):
                _deliver(client, read_left(left.folder))
                shutil.rmtree(left.folder)
        except _BusyOutbox:
            continue
        except Exception as error:  # noqa: BLE001 - whatever it is, the stage that begins does not need these records
            logger.warning("MLflow does not take what it missed (%s); it follows with the next run", short_reason(error))
            break
    return client


def _deliver(client: MlflowClient, left: LeftOutbox) -> None:
    """Sends the records of an outbox; only warns of what MLflow rejects."""
    from mlflow.exceptions import MlflowException

    if left.addressee is None or not left.records:
        return
    run_id, records = left.addressee.run_id, list(join_points(left.records))
    told = count_texts(record.describe() for record in records)
    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        run = None
    if run is None or run.info.lifecycle_stage != "active":
        logger.warning("MLflow has no run %s any more; dropped: %s", run_id, told)
        return
    for record in records:
        try:
            send_record(client, run_id, record, left.folder)
        except Exception as error:
            if is_network_error(error):
                raise
            logger.warning("MLflow did not take %s: %s", record.describe(), short_reason(error))
    logger.info("MLflow has what it missed of the run %s: %s", run.info.run_name or run_id, told)
