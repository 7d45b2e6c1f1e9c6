"""The MLflow parent run of all stages of one flow run, where MLflow is installed."""

from __future__ import annotations

import logging
import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.errors import Seq2SeqError, first_line

if TYPE_CHECKING:
    from seq2seq_core.tracking.runs.graph_run import OpenGraphRun

LAST_WORD_SECONDS = 2.0
"""Longest wait for MLflow when a run is cancelled; the next run closes a parent run that stayed open."""

logger = logging.getLogger(__name__)


class GraphTracking:
    """The parent run: opened before the first stage that may run, closed after the last.

    Args:
        key: the name of the graph run; the stages get it as ``S2S_GRAPH_RUN``.
        paths: the workspace, whose MLflow store holds the run.
        settings: ``runtime.experiment`` names the experiment, section ``register`` the model.
    """

    def __init__(self, key: str, paths: Paths, settings: Settings) -> None:
        self.key, self.paths, self.settings = key, paths, settings
        self._opened: OpenGraphRun | None = None
        self._address = ""

    def open(self, tags: dict[str, str]) -> None:
        """Opens the parent run.

        Args:
            tags: the run's tags, such as the flow run's name.

        Raises:
            TrackingUnreachable: MLflow does not answer.
        """
        if find_spec("mlflow") is None:
            return
        from seq2seq_core.tracking.mlflow.address import MODEL_TRAINING, displayed_uri
        from seq2seq_core.tracking.runs.graph_run import open_graph_run

        self._opened = open_graph_run(self.key, self.paths, self.settings, tags)
        store, run = displayed_uri(self.paths), self._opened
        page = f"{store}/#/experiments/{run.experiment_id}/runs/{run.run_id}?{MODEL_TRAINING}"
        self._address = page if store.startswith("http") else f"{store}, run {run.run_id}"

    def catch_up(self) -> None:
        """Sends what earlier runs could not send, where no stage has to run. MLflow may be away: the run does not need it."""
        if find_spec("mlflow") is None:
            return
        from seq2seq_core.tracking.runs.graph_run import catch_up

        try:
            catch_up(self.paths, self.settings)
        except Exception as error:  # noqa: BLE001 - of whatever kind, the run is done without it
            logger.warning("MLflow was not brought up to date: %s", _explain(error))

    def close(self, status: str) -> str:
        """Ends the parent run if it is open; returns a note where that failed, because the run is done without MLflow.

        Args:
            status: ``FINISHED``, ``FAILED`` or ``KILLED``.
        """
        opened, self._opened = self._opened, None
        if opened is None:
            return ""
        from seq2seq_core.tracking.runs.graph_run import close_graph_run

        try:
            close_graph_run(opened, status, self.paths)
        except Exception as error:  # noqa: BLE001 - of whatever kind, it must not take the run's report away
            return f"the MLflow run of this retrain stays open until the next one: {_explain(error)}"
        return ""

    def close_killed(self) -> None:
        """Ends the parent run of a cancelled flow run, if MLflow answers within ``LAST_WORD_SECONDS``."""
        closing = threading.Thread(target=self.close, args=("KILLED",), daemon=True)
        closing.start()
        closing.join(LAST_WORD_SECONDS)

    def address(self) -> str:
        """The address of the run's page, or its store and id; empty where there was no run. Asks nobody."""
        return self._address


def _explain(error: Exception) -> str:
    """An error in a line: ours has the address and what was expected, another one its kind."""
    if isinstance(error, Seq2SeqError):
        return first_line(error)
    from seq2seq_core.tracking.mlflow.store import short_reason

    return f"{type(error).__name__}: {short_reason(error)}"
