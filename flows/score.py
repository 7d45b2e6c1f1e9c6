"""The Prefect flow ``score``: a bulk job by a registered model; entry point of its deployment in ``prefect.yaml``."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import httpx
from prefect import flow
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.client.schemas.objects import State
from prefect.exceptions import PrefectException
from prefect.logging import get_run_logger
from pydantic import ValidationError

from flows.reports.run_end import find_flow_settings, tell_end
from flows.reports.score_report import PROGRESS_KEY, ScoreReport, publish_score
from flows.retraining import find_paths
from flows.server.engine_log import quiet_engine
from flows.server.final_state import final_state
from flows.server.flow_state import is_cancelled
from flows.server.presence import is_away
from flows.server.redacted_reports import keep_secrets
from flows.server.run_events import announced_run
from flows.server.run_names import artifact_key, flow_run_title, workspace_model
from flows.server.slots import no_slots_while_away
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.section import describe_fault
from seq2seq_core.config.settings import load_settings
from seq2seq_core.console import Logger, Progress, progress
from seq2seq_core.errors import EnvironmentFault, Interrupted, Seq2SeqError, UserError
from seq2seq_core.proxies import exempt_loopback

if TYPE_CHECKING:
    from seq2seq_core.bulk.bulk_request import BulkRequest, BulkSummary
    from seq2seq_core.config.decoding_options import DecodingOptions

STOPPED = "run the same flow again to go on"
TOLD_SECONDS = 10.0
"""Time between two reports of the progress to Prefect, and two questions whether the run was cancelled."""


@flow(name="score", flow_run_name=flow_run_title, persist_result=False, log_prints=False)
def score(
    input: str,  # noqa: A002 - the name on Prefect's page
    output: str,
    model: str = "",
    workspace: str | None = None,
    column: str = "source",
    output_column: str = "prediction",
    format: str = "",  # noqa: A002
    tags: dict[str, str] | None = None,
    options: dict[str, Any] | None = None,
    shard_rows: int = 10_000,
    workers: int = 0,
    restart: bool = False,
    force: list[str] | None = None,
    forbid: list[str] | None = None,
    glossary: dict[str, str] | None = None,
) -> State[Any]:
    """Predict every row of a file or a folder, in shards; a run with the same parameters goes on where another was stopped.

    Args:
        input: A file or a folder with files (.parquet .jsonl .tsv .csv .txt, also with .gz), from the workspace.
        output: The folder of the shards, from the workspace.
        model: A registered model, such as models:/dates@champion; by default the champion of params.yaml.
        workspace: The folder with dvc.yaml and params.yaml; by default the one that the flow runs in.
        column: Column of the sources.
        output_column: Column of the predictions; its name begins the other new columns.
        format: Format of the shards; by default that of the input. One of parquet, jsonl, tsv, csv, jsonl.gz, tsv.gz, csv.gz.
        tags: Tag columns for the rows that have none of their own, by name.
        options: Decoding options that differ from those of the evaluation, such as {"beam_size": 1}.
        shard_rows: Rows of a shard.
        workers: Processes that decode; 0 is one a core, at most 8, or one on a GPU.
        restart: Delete the output of another job in the folder, and begin anew.
        force: Phrases that every prediction must contain.
        forbid: Phrases that no prediction may contain.
        glossary: By term, the phrase that is forced where the source has the term.
    """
    keep_secrets()
    exempt_loopback()
    quiet_engine()
    from seq2seq_core.bulk.bulk_request import BulkRequest
    from seq2seq_core.decoding.phrases.wanted_phrases import Phrases

    phrases = Phrases(tuple(force or ()), tuple(forbid or ()), glossary or {})
    request = BulkRequest(
        (Path(input),), Path(output), column, output_column, format, tags or {}, shard_rows, workers=workers, phrases=phrases
    )  # fmt: skip
    with announced_run(), no_slots_while_away():
        return _score(workspace, model, request, options or {}, restart, get_run_logger())


def _score(
    workspace: str | None, reference: str, request: BulkRequest, options: Mapping[str, Any], restarts: bool, logger: Logger
) -> State[Any]:
    """Runs a bulk job and reports it; returns the flow run's final state."""
    root = Path(workspace or ".").resolve()
    name, output = workspace_model(root), str(root / request.output)
    settings = find_flow_settings(root)
    try:
        paths = find_paths(workspace)
        settings = load_settings(paths.params).runtime.flow
        report = ScoreReport(_run(paths, reference, request, options, restarts, logger), None, output)
    except Seq2SeqError as error:
        logger.log(logging.WARNING if isinstance(error, Interrupted) else logging.ERROR, "%s", error)
        report = ScoreReport(None, error, output)
    except Exception as error:
        report = ScoreReport(None, EnvironmentFault(f"{type(error).__name__}: {error}"), output)
        tell_end(report, lambda: publish_score(report, name), settings, logger)
        raise
    tell_end(report, lambda: publish_score(report, name), settings, logger)
    return final_state(report.headline(), report.summary or report.failure, report.failure)


def _run(
    paths: Paths, reference: str, request: BulkRequest, options: Mapping[str, Any], restarts: bool, logger: Logger
) -> BulkSummary:
    """Runs a bulk job; returns its summary."""
    from seq2seq_core.bulk.bulk_run import run_bulk
    from seq2seq_core.bundle.config_file import read_config
    from seq2seq_core.config.decoding_options import DecodingOptions
    from seq2seq_core.serving.loading import find_model

    settings = load_settings(paths.params)
    model = find_model(reference or f"models:/{settings.register_.model_name}@champion", paths)
    stored = read_config(model.folder).decoding or DecodingOptions()
    here = replace(
        request,
        inputs=tuple(paths.root / entry for entry in request.inputs),
        output=paths.root / request.output,
        device=settings.runtime.device,
        restarts=restarts,
    )
    key = artifact_key(settings.register_.model_name, PROGRESS_KEY)
    asks = _asked_sparingly(is_cancelled)
    return run_bulk(here, model, _override(stored, options), lambda total, done: _shown(total, done, key, logger), asks)


def _override(stored: DecodingOptions, options: Mapping[str, Any]) -> DecodingOptions:
    try:
        return stored.override(**options)
    except ValidationError as error:
        raise UserError(f"options.{describe_fault(error.errors()[0])}") from None


def _asked_sparingly(question: Callable[[], bool]) -> Callable[[], bool]:
    """The same question, answered with no in between, because it goes to the server."""
    asked = time.monotonic()

    def ask() -> bool:
        nonlocal asked
        if time.monotonic() < asked + TOLD_SECONDS:
            return False
        asked = time.monotonic()
        return question()

    return ask


class _PrefectProgress:
    """Shows the progress in the log, and on the run's page.

    Args:
        lines: shows it in the log.
        total: all rows.
        finished: those that were finished before.
        key: of the artifact.
    """

    def __init__(self, lines: Progress, total: int, finished: int, key: str) -> None:
        self.lines, self.total = lines, max(1, total)
        self._told = time.monotonic()
        created = create_progress_artifact(100.0 * finished / self.total, key=key, description="Rows that are predicted")
        self._artifact = cast(UUID, created)  # it is awaitable only in asynchronous flows

    def update(self, completed: float, message: str = "") -> None:
        """See :class:`~seq2seq_core.console.Progress`."""
        self.lines.update(completed, message)
        if completed < self.total and time.monotonic() < self._told + TOLD_SECONDS:
            return
        self._told = time.monotonic()
        if is_away():
            return
        try:
            update_progress_artifact(self._artifact, min(100.0, 100.0 * completed / self.total))
        except (PrefectException, httpx.HTTPError):
            return  # the next report may come through


@contextmanager
def _shown(total: int, finished: int, key: str, logger: Logger) -> Iterator[Progress]:
    with progress("score", total, "rows", "plain", start=finished, log=logger) as lines:
        yield lines if is_away() else _PrefectProgress(lines, total, finished, key)
