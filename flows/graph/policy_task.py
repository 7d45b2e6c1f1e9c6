"""Work of a run as a Prefect task with the policy of a stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from seq2seq_core.config.runtime import ResolvedPolicy
from seq2seq_core.errors import Seq2SeqError


def policy_task(
    function: Callable[[], State[Any]], policy: ResolvedPolicy, failure: type[Seq2SeqError], **named: Any
) -> Task[[], State[Any]]:
    """A Prefect task that is started again where that can help: after a user's fault it is not.

    Args:
        function: the work; a state that it fails with carries its failure as data.
        policy: retries and tags.
        failure: the kind of failure that may be retryable.
        named: the task's names.
    """

    def can_retry_help(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
        return isinstance(state.data, failure) and state.data.retryable

    return Task(
        function,
        retries=policy.retries,
        retry_delay_seconds=policy.retry_delay_seconds,
        retry_condition_fn=can_retry_help,
        tags=policy.tags,
        cache_policy=NO_CACHE,
        persist_result=False,
        log_prints=False,
        **named,
    )
