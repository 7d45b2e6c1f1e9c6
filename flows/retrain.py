"""The Prefect flow ``retrain``: entry point of the deployments in ``prefect.yaml`` and of ``s2s retrain``."""

from __future__ import annotations

import logging
import os
from dataclasses import asdict
from typing import Any, NoReturn, cast

import httpx
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.exceptions import PrefectException
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.utilities.urls import url_for

from flows.graph.stage_tasks import drop_empty_tracebacks
from flows.reports.run_page import publish_report
from flows.reports.summary import RetrainSummary
from flows.reports.webhook import notify
from flows.retraining import FlowRunInfo, Retraining, find_paths
from flows.server.environment import EMBEDDED_VARIABLE
from flows.server.flow_state import is_cancelled
from flows.server.kept_result import keep_result
from flows.server.presence import leave_server_behind
from seq2seq_core.config.settings import load_settings
from seq2seq_core.errors import EXIT_INTERRUPTED, EXIT_TERMINATED, EnvironmentFault, Interrupted, Seq2SeqError
from seq2seq_core.proxies import exempt_loopback

STOPPED = "every stage was stopped, run the same command again to go on"
Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]


THREADS = cast(TaskRunner[PrefectFuture[Any]], ThreadPoolTaskRunner())
"""Stages are processes, so that a thread for each is enough. ``runtime.flow.max_parallel_stages`` limits their number."""


@flow(name="retrain", task_runner=THREADS, persist_result=False, log_prints=False)
def retrain(workspace: str | None = None, force: list[str] | None = None) -> State[Any]:
    """Run every stale stage of dvc.yaml, a task a stage; fresh ones are shown as Cached.

    Args:
        workspace: The folder with dvc.yaml and params.yaml; by default the one that the flow runs in.
        force: Stages to run even where they are up to date.
    """
    logger = get_run_logger()
    exempt_loopback()
    drop_empty_tracebacks()
    try:
        paths = find_paths(workspace)
        settings = load_settings(paths.params)
    except Seq2SeqError as error:
        summary = RetrainSummary(failure=error)
        _report(summary, logger)
        return _to_state(summary, logger)
    retraining = Retraining(paths, settings, _this_run(), logger, frozenset(force or ()), is_cancelled)
    try:
        summary = retraining.run()
    except (KeyboardInterrupt, Interrupted) as error:
        if not retraining.stop():
            _leave(logger, EXIT_INTERRUPTED)
        reason = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
        return _to_state(retraining.summarise(Interrupted(f"{reason}; {STOPPED}")), logger)
    except Exception as error:
        retraining.stop()
        _tell(retraining.summarise(EnvironmentFault(f"{type(error).__name__}: {error}")), retraining, logger)
        raise
    except BaseException:
        # Prefect turns SIGTERM (from a cancelling worker or anyone else) into an exception that does not inherit from Exception.
        if not retraining.stop():
            _leave(logger, EXIT_TERMINATED)
        raise
    _tell(summary, retraining, logger)
    return _to_state(summary, logger)


def _to_state(summary: RetrainSummary, logger: Logger) -> State[Any]:
    """The flow run's final state; it carries the summary, in memory only."""
    keep_result(summary)
    if summary.failure is None:
        return Completed(message=summary.headline(), data=summary)
    if isinstance(summary.failure, Interrupted):
        return Cancelled(message=str(summary.failure), data=summary)
    if not summary.stages:
        logger.error("%s", summary.failure)
    return Failed(message=str(summary.failure), data=summary)


def _this_run() -> FlowRunInfo:
    page = url_for("flow-run", flow_run.id) if EMBEDDED_VARIABLE not in os.environ else None
    return FlowRunInfo(str(flow_run.id), str(flow_run.name), page or "")


def _tell(summary: RetrainSummary, retraining: Retraining, logger: Logger) -> None:
    """Notifies the webhook and stores the artifacts; a failure of either does not fail the run."""
    flow = retraining.settings.runtime.flow
    notify(flow.notify, summary, asdict(retraining.flow_run), logger)
    if not leave_server_behind(logger, flow.server_return_seconds):
        _report(summary, logger)


def _report(summary: RetrainSummary, logger: Logger) -> None:
    """Stores the artifacts; only warns where Prefect cannot store them."""
    try:
        publish_report(summary)
    except (PrefectException, httpx.HTTPError) as error:
        logger.warning("the report could not be stored in Prefect: %s: %s", type(error).__name__, error)


def _leave(logger: Logger, exit_code: int) -> NoReturn:
    """Ends this process while a task still queues for a slot or waits for a retry: such a wait cannot be interrupted.

    All stages have been stopped. The slot is free again when its lease expires.
    """
    logger.warning("leaving a task that only waits")
    logging.shutdown()
    os._exit(exit_code)
