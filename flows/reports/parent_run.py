"""The MLflow parent run of all stages of one flow run, where MLflow is installed."""

from __future__ import annotations

import threading
from importlib.util import find_spec

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings

LAST_WORD_SECONDS = 2.0
"""Longest wait for MLflow when a run is cancelled; the next run closes a parent run that stayed open."""


class GraphTracking:
    """The parent run: opened before the first stage that may run, closed after the last.

    Args:
        key: the name of the graph run; the stages get it as ``S2S_GRAPH_RUN``.
        paths: the workspace, whose MLflow store holds the run.
        settings: ``runtime.experiment`` names the experiment, section ``register`` the model.
    """

    def __init__(self, key: str, paths: Paths, settings: Settings) -> None:
        self.key, self.paths, self.settings = key, paths, settings
        self.run_id: str | None = None

    def open(self, tags: dict[str, str]) -> None:
        """Opens the parent run.

        Args:
            tags: the run's tags, such as the flow run's name.

        Raises:
            TrackingUnreachable: MLflow does not answer.
        """
        if find_spec("mlflow") is None:
            return
        from seq2seq_core.tracking.runs.graph_run import open_graph_run

        self.run_id = open_graph_run(self.key, self.paths, self.settings, tags)

    def close(self, has_failed: bool) -> None:
        """Ends the parent run if it is open.

        Args:
            has_failed: whether a stage failed.

        Raises:
            TrackingUnreachable: MLflow does not answer.
        """
        if self.run_id is not None:
            from seq2seq_core.tracking.runs.graph_run import close_graph_run

            close_graph_run(self.key, "FAILED" if has_failed else "FINISHED")

    def close_killed(self) -> None:
        """Ends the parent run of a cancelled flow run, if MLflow answers within ``LAST_WORD_SECONDS``."""
        if self.run_id is None:
            return
        from seq2seq_core.tracking.runs.graph_run import close_graph_run

        closing = threading.Thread(target=close_graph_run, args=(self.key, "KILLED"), daemon=True)
        closing.start()
        closing.join(LAST_WORD_SECONDS)

    def address(self) -> str:
        """The address of the run's page, or its store and id; empty where there is no run."""
        if self.run_id is None:
            return ""
        from seq2seq_core.tracking.mlflow.store import connect, displayed_uri

        store = displayed_uri(self.paths)
        if not store.startswith("http"):
            return f"{store}, run {self.run_id}"
        experiment = connect(self.paths).get_run(self.run_id).info.experiment_id
        return f"{store}/#/experiments/{experiment}/runs/{self.run_id}"
