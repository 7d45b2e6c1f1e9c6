"""The Prefect flow ``retrain``: entry point of the deployments in ``prefect.yaml`` and of ``s2s retrain``."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn, cast

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from pydantic import Field

from flows.dvc.one_run_settings import offer_sections, put_back, settings_for_one_run
from flows.graph.stage_choices import offer_stages
from flows.processes.workspace_lock import RetrainRunning, workspace_lock
from flows.reports.run_end import find_flow_settings, tell_end, this_run
from flows.reports.run_page import publish_report
from flows.reports.summary import RetrainSummary
from flows.retraining import Retraining, find_paths
from flows.server.earlier_runs import mark_dead_runs, repeat_untold_crashes, show_wait
from flows.server.engine_log import quiet_engine
from flows.server.final_state import final_state
from flows.server.flow_state import is_cancelled
from flows.server.redacted_reports import keep_secrets
from flows.server.run_events import announced_run
from flows.server.run_names import flow_run_title, workspace_model
from flows.server.slots import no_slots_while_away
from seq2seq_core.config.runtime import FlowSettings
from seq2seq_core.config.settings import load_settings
from seq2seq_core.console import Logger
from seq2seq_core.errors import EXIT_INTERRUPTED, EXIT_TERMINATED, EnvironmentFault, Interrupted, Seq2SeqError
from seq2seq_core.proxies import exempt_loopback

StageName = Annotated[str, Field(json_schema_extra=offer_stages)]
Assignment = Annotated[str, Field(json_schema_extra=offer_sections)]
STOPPED = "every stage was stopped, run the same command again to go on"


THREADS = cast(TaskRunner[PrefectFuture[Any]], ThreadPoolTaskRunner())
"""Stages are processes, so that a thread for each is enough. ``runtime.flow.max_parallel_stages`` limits their number."""


@flow(name="retrain", flow_run_name=flow_run_title, task_runner=THREADS, persist_result=False, log_prints=False)
def retrain(
    workspace: str | None = None,
    force: list[StageName] | None = None,
    set: list[Assignment] | None = None,  # noqa: A002 - the name on Prefect's page
    wait: bool = False,
) -> State[Any]:
    """Run every stale stage of dvc.yaml, a task a stage; fresh ones are shown as Cached.

    Args:
        workspace: The folder with dvc.yaml and params.yaml; by default the one that the flow runs in.
        force: Stages to run even where they are up to date.
        set: Settings for this run only, each section.field=value, such as train.max_steps=200.
        wait: Wait for a run that already works in the workspace; otherwise this run is skipped.
    """
    keep_secrets()
    exempt_loopback()
    quiet_engine()
    with announced_run(), no_slots_while_away():
        return _retrain(workspace, frozenset(force or ()), set or (), wait, get_run_logger())


def _retrain(workspace: str | None, forced: frozenset[str], assignments: Sequence[str], waits: bool, logger: Logger) -> State[Any]:
    """Runs a retrain and reports it; returns the flow run's final state."""
    try:
        paths = find_paths(workspace)
        lock_of_workspace = workspace_lock(paths, (lambda reason: _note_wait(reason, logger)) if waits else None)
        with lock_of_workspace as lock, settings_for_one_run(paths, assignments, logger.warning) as notes:
            settings = load_settings(paths.params)
            name, dead_seconds = settings.register_.model_name, settings.runtime.flow.dead_after_seconds
            for line in (*mark_dead_runs(name, dead_seconds), *repeat_untold_crashes(name)):
                logger.warning("%s", line)
            has_own = bool(assignments)
            summary = _run(Retraining(paths, settings, this_run(), logger, lock, forced, is_cancelled, has_own, notes), logger)
    except Seq2SeqError as error:
        summary = RetrainSummary(failure=error)
        if not isinstance(error, RetrainRunning):  # the other run tells how it ended
            root = Path(workspace or ".").resolve()
            _tell(summary, workspace_model(root), find_flow_settings(root), logger)
        return _to_state(summary, logger)
    if not isinstance(summary.failure, Interrupted):
        _tell(summary, settings.register_.model_name, settings.runtime.flow, logger)
    return _to_state(summary, logger)


def _note_wait(reason: str, logger: Logger) -> None:
    """Shows that this run waits for another one in its workspace, or does no longer."""
    show_wait(reason)
    logger.info("%s", f"waiting: {reason}" if reason else "the workspace is free")


def _run(retraining: Retraining, logger: Logger) -> RetrainSummary:
    """Runs a retrain; returns its summary, which also holds a failure or an interruption."""
    model_name, settings = retraining.settings.register_.model_name, retraining.settings.runtime.flow
    try:
        return retraining.run()
    except (KeyboardInterrupt, Interrupted) as error:
        if not retraining.stop():
            _leave(retraining, EXIT_INTERRUPTED)
        reason = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
        return retraining.summarise(Interrupted(f"{reason}; {STOPPED}"))
    except Exception as error:
        retraining.stop()
        _tell(retraining.summarise(EnvironmentFault(f"{type(error).__name__}: {error}")), model_name, settings, logger)
        raise
    except BaseException:
        # Prefect turns SIGTERM (from a cancelling worker or anyone else) into an exception that does not inherit from Exception.
        if not retraining.stop():
            _leave(retraining, EXIT_TERMINATED)
        raise


def _to_state(summary: RetrainSummary, logger: Logger) -> State[Any]:
    """The flow run's final state; it carries the summary, in memory only."""
    if isinstance(summary.failure, RetrainRunning):
        logger.warning("skipped: %s", summary.failure)
    elif summary.failure is not None and not isinstance(summary.failure, Interrupted) and not summary.stages:
        logger.error("%s", summary.failure)
    return final_state(summary.headline(), summary, summary.failure)


def _tell(summary: RetrainSummary, model_name: str, settings: FlowSettings, logger: Logger) -> None:
    """Notifies the webhook and stores the artifacts."""
    tell_end(summary, lambda: publish_report(summary, model_name), settings, logger)


def _leave(retraining: Retraining, exit_code: int) -> NoReturn:
    """Ends this process while a task still queues for a slot or waits for a retry: such a wait cannot be interrupted.

    All stages have been stopped. The slot is free again when its lease expires.
    """
    retraining.logger.warning("leaving a task that only waits")
    put_back(retraining.paths, retraining.logger.warning)
    logging.shutdown()
    os._exit(exit_code)
