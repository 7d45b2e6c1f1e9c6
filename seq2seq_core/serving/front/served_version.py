"""One version of a model as it is served: MLflow's scoring app over a stub, whose rows workers decode."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.serving.serve import ServeSection
from seq2seq_core.errors import BundleError
from seq2seq_core.registry.bundles import download_bundle
from seq2seq_core.registry.parity import check_answers, read_sample
from seq2seq_core.registry.stored_model import check_stored_model, label_of
from seq2seq_core.registry.versions import DIGEST_TAG
from seq2seq_core.serving.batching.batcher import Batcher, BatchReport
from seq2seq_core.serving.front.visit import CURRENT
from seq2seq_core.serving.model_header import NamedModel
from seq2seq_core.serving.request_columns import SOURCE_COLUMN
from seq2seq_core.serving.request_reader import RequestReader
from seq2seq_core.serving.row_service import RowService
from seq2seq_core.serving.worker.worker_decoder import WorkerDecoder
from seq2seq_core.serving.worker.worker_process import WorkerSettings
from seq2seq_core.tracking.mlflow.store import quiet_imports, store_errors

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)
MLFLOW_MARGIN_SECONDS = 30
"""MLflow's own time limit ends a request this much later than ours, which stops the work as well."""


@dataclass(frozen=True)
class Observer:
    """Who is told of batches and workers.

    Attributes:
        of_batch: gets what became of each batch.
        of_restart: is called when a worker is started again.
    """

    of_batch: Callable[[BatchReport], None]
    of_restart: Callable[[], None]


class StubModel:
    """The model of MLflow's scoring app: decodes nothing itself.

    Args:
        service: answers requests.
    """

    def __init__(self, service: RowService) -> None:
        self.service = service

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """The answer to the request of this thread.

        Args:
            model_input: its rows.
            params: its parameters.
        """
        visit = CURRENT.get()
        return self.service.answer(
            model_input, params, seconds=visit.seconds_left, on_submit=visit.hold, is_over=lambda: visit.is_over
        )


class ServedVersion:
    """A version that answers.

    Args:
        version: the registered version, whose files and answers were checked.
        service: answers requests.
        decoders: its workers.
        application: MLflow's scoring app.
        parameters: names of the parameters of a request.
    """

    def __init__(
        self,
        version: ModelVersion,
        service: RowService,
        decoders: list[WorkerDecoder],
        application: Callable[..., Any],
        parameters: list[str],
    ) -> None:
        self.name, self.number, self.digest = version.name, str(version.version), version.tags[DIGEST_TAG]
        self.service, self.decoders, self.application, self.parameters = service, decoders, application, parameters
        self.columns = [SOURCE_COLUMN, *service.reader.config.tags.all]
        self._visits = 0
        self._lock = threading.Lock()

    @property
    def label(self) -> str:
        """Names the version in the header of every answer."""
        return NamedModel(self.name, self.number, self.digest).to_header()

    def enter(self) -> None:
        """A request has come that this version answers."""
        with self._lock:
            self._visits += 1

    def leave(self) -> None:
        """The request has ended."""
        with self._lock:
            self._visits -= 1

    def tend(self) -> None:
        """Starts workers again that have died while there was nothing to decode."""
        for decoder in self.decoders:
            decoder.prepare()

    def close(self, seconds: float) -> None:
        """Waits for the requests that it still answers, and ends its workers.

        Args:
            seconds: the longest wait.
        """
        deadline = time.monotonic() + seconds
        while self._visits and time.monotonic() < deadline:
            time.sleep(0.05)
        self.service.batcher.close(max(0.0, deadline - time.monotonic()))


def prepare_version(version: ModelVersion, paths: Paths, settings: ServeSection, device: str, observer: Observer) -> ServedVersion:
    """A version that is ready to answer: its files are those that were registered, and it answers as it did when it was evaluated.

    Args:
        version: the registered version.
        paths: the workspace.
        settings: of the server.
        device: what decodes.
        observer: is told of batches and workers.

    Raises:
        BundleError: a file of the version is not the one that was registered, or it answers otherwise than when it was evaluated.
        TrackingUnreachable: MLflow does not answer.
        EnvironmentFault: a worker does not start.
    """
    check_stored_model(version, paths)
    folder = download_bundle(version, paths)
    sample = read_sample(version, paths)
    reader = RequestReader.from_folder(folder, settings.limits)
    worker_settings = WorkerSettings(device, settings.threads, settings.start_seconds, settings.grace_seconds)
    decoders: list[WorkerDecoder] = []
    try:
        for _ in range(settings.workers):
            decoders.append(WorkerDecoder(folder, worker_settings, observer.of_restart))
        service = RowService(reader, Batcher(decoders, settings.limits, observer.of_batch))
        _check_sample(sample, service, settings, label_of(version))
        application, parameters = _scoring_app(version, service, settings, paths)
    except BaseException:
        for decoder in decoders:
            decoder.close()
        raise
    logger.info("%s is loaded; %d rows of its parity sample are as evaluated", label_of(version), len(sample))
    return ServedVersion(version, service, decoders, application, parameters)


def _check_sample(sample: Sequence[Mapping[str, str]], service: RowService, settings: ServeSection, label: str) -> None:
    """Decodes the parity sample, row by row, and compares the answers with those of the evaluation."""
    from mlflow.exceptions import MlflowException

    try:
        texts = [service.predict([row], None, False, settings.start_seconds)[0].text for row in sample]
    except MlflowException as error:
        raise BundleError(f"{label}: its parity sample cannot be decoded: {error.message}") from None
    check_answers(sample, texts, label)


def _scoring_app(
    version: ModelVersion, service: RowService, settings: ServeSection, paths: Paths
) -> tuple[Callable[..., Any], list[str]]:
    """MLflow's own scoring app for the version's real signature, and the names of its parameters."""
    seconds = int(settings.limits.deadline_seconds) + MLFLOW_MARGIN_SECONDS
    os.environ["MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT"] = str(seconds)
    with quiet_imports(), store_errors(paths):
        from mlflow.models import Model
        from mlflow.pyfunc import PyFuncModel, scoring_server

        described = Model.load(f"models:/{version.name}/{version.version}")
        application: Callable[..., Any] = scoring_server.init(PyFuncModel(described, StubModel(service)))
        schema = described.signature.params if described.signature is not None else None
    return application, [one.name for one in schema.params] if schema is not None else []
