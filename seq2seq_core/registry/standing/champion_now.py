"""The champion and the last run of the graph, as MLflow has them now: for a screen, in a few requests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.registry.versions import current_champion, find_number
from seq2seq_core.tracking.dvc_experiment import find_home
from seq2seq_core.tracking.mlflow.address import database_file
from seq2seq_core.tracking.mlflow.store import connect, store_errors

if TYPE_CHECKING:
    from mlflow.entities import Run


@dataclass(frozen=True)
class ChampionNow:
    """What MLflow has of a model.

    Attributes:
        model: name of the registered model.
        version: that holds the alias ``champion``; empty: none does.
        summary: its score, decision and what it was compared with.
        since: when the version was made, in UTC; empty: there is none.
        last_run: name and end of the last run of the graph in this workspace; empty: there was none.
    """

    model: str
    version: str = ""
    summary: str = ""
    since: str = ""
    last_run: str = ""


def read_champion(settings: Settings, paths: Paths) -> ChampionNow:
    """The champion and the last run of the graph.

    Args:
        settings: names the model and the experiment.
        paths: the workspace, whose MLflow store is asked; one that does not exist is not made.

    Raises:
        TrackingUnreachable, StorageFault: MLflow does not answer.
        UserError: the address is wrong, or the server wants credentials.
    """
    name, database = settings.register_.model_name, database_file(paths)
    if database is not None and not database.is_file():
        return ChampionNow(name)
    client = connect(paths)
    with store_errors(paths):
        experiment = client.get_experiment_by_name(settings.runtime.experiment)
        runs: list[Run] = []
        if experiment is not None:
            runs = client.search_runs(
                [experiment.experiment_id], _own_graphs(paths, database), max_results=1, order_by=["attributes.start_time DESC"]
            )
        last = f"{runs[0].info.run_name}, {runs[0].info.status.lower()}, {_moment(runs[0].info.start_time)}" if runs else ""
        number = current_champion(client, name)
        version = find_number(client, name, number) if number else None
        if version is None:
            return ChampionNow(name, last_run=last)
        first = next(iter((version.description or "").splitlines()), "")
        return ChampionNow(name, str(version.version), first, _moment(version.creation_timestamp), last)


def _own_graphs(paths: Paths, database: Path | None) -> str:
    """The filter of the workspace's graphs: all of its own database, whose runs name the folder where the workspace was then."""
    every, home = "tags.kind = 'graph'", str(find_home(paths).root.resolve())
    if database == paths.mlflow_database:
        return every
    quote = "'" if "'" not in home else '"'
    return f"{every} and tags.workspace = {quote}{home}{quote}"


def _moment(milliseconds: int | None) -> str:
    return f"{datetime.fromtimestamp((milliseconds or 0) / 1000, UTC):%Y-%m-%d %H:%M} UTC"
