from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.server.local_server import free_port
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.errors import TrackingUnreachable
from seq2seq_core.registry.receipts import check_receipt, drop_stale_receipt, write_receipt
from seq2seq_core.registry.registration import register_bundle
from seq2seq_core.tracking.mlflow.store import connect

pytestmark = pytest.mark.usefixtures("light_registration")


def change(paths: Paths, **fields: object) -> None:
    paths.receipt.write_text(json.dumps(json.loads(paths.receipt.read_text()) | fields))


def test_a_receipt_that_the_registry_honours_stays(registered_paths: Paths, tracked_settings: Settings) -> None:
    assert check_receipt(registered_paths, tracked_settings) == (True, "version 1 of 'dates' is in sqlite:///mlflow.db")
    before = registered_paths.receipt.read_bytes()
    assert drop_stale_receipt(registered_paths, tracked_settings) is None
    assert registered_paths.receipt.read_bytes() == before


def test_where_there_is_no_receipt_there_is_nothing_to_drop(tracked_paths: Paths, tracked_settings: Settings) -> None:
    assert check_receipt(tracked_paths, tracked_settings) == (False, "there is no receipt")
    assert drop_stale_receipt(tracked_paths, tracked_settings) is None


def delete_database(paths: Paths) -> None:
    paths.mlflow_database.unlink()


def delete_version(paths: Paths) -> None:
    connect(paths).delete_model_version("dates", "1")


def delete_model(paths: Paths) -> None:
    connect(paths).delete_registered_model("dates")


def delete_files(paths: Paths) -> None:
    shutil.rmtree(paths.mlflow_artifacts)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (delete_database, "the registry sqlite:///mlflow.db is gone"),
        (delete_version, "the registry sqlite:///mlflow.db has no version 1 of 'dates'"),
        (delete_model, "the registry sqlite:///mlflow.db has no version 1 of 'dates'"),
        (delete_files, "the files of version 1 of 'dates' in sqlite:///mlflow.db are gone"),
        (lambda paths: change(paths, bundle_digest="abc"), "version 1 of 'dates' in sqlite:///mlflow.db holds another bundle"),
        (lambda paths: change(paths, version="2"), "the registry sqlite:///mlflow.db has no version 2 of 'dates'"),
        (
            lambda paths: change(paths, registry="http://old"),
            "the last registration was in the registry http://old, and sqlite:///mlflow.db is configured now",
        ),
        (
            lambda paths: change(paths, model_name="times"),
            "the last registration was of the model 'times', whose versions stay; 'dates' is configured now",
        ),
    ],
)
def test_a_receipt_that_the_registry_does_not_honour_is_dropped(
    registered_paths: Paths, tracked_settings: Settings, spoil: Callable[[Paths], None], reason: str
) -> None:
    spoil(registered_paths)
    assert check_receipt(registered_paths, tracked_settings) == (False, reason)
    assert registered_paths.receipt.is_file()
    assert drop_stale_receipt(registered_paths, tracked_settings) == reason
    assert not registered_paths.receipt.exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"version": "1"}', '{"unknown": 1}'])
def test_a_receipt_that_cannot_be_read_is_dropped(tracked_paths: Paths, tracked_settings: Settings, content: str) -> None:
    tracked_paths.receipt.parent.mkdir(parents=True)
    tracked_paths.receipt.write_text(content)
    reason = drop_stale_receipt(tracked_paths, tracked_settings)
    assert reason is not None
    assert reason.startswith("the receipt cannot be read (")
    assert not tracked_paths.receipt.exists()


def test_a_receipt_stays_when_the_registry_does_not_answer(
    registered_paths: Paths, tracked_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    change(registered_paths, registry=address)
    runtime = tracked_settings.runtime.model_copy(update={"tracking_wait_seconds": 0.0})
    with pytest.raises(TrackingUnreachable, match=f"^MLflow does not answer at {address}: "):
        drop_stale_receipt(registered_paths, tracked_settings.model_copy(update={"runtime": runtime}))
    assert registered_paths.receipt.is_file()


def test_after_the_drop_the_model_is_registered_again_with_the_same_receipt(
    registered_paths: Paths, tracked_settings: Settings, mlflow_template: Path
) -> None:
    before = registered_paths.receipt.read_bytes()
    connect(registered_paths).delete_registered_model("dates")
    assert drop_stale_receipt(registered_paths, tracked_settings) is not None
    write_receipt(register_bundle(tracked_settings, registered_paths).receipt, registered_paths)
    assert registered_paths.receipt.read_bytes() == before
