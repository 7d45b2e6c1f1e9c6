"""A function as a Prefect task with the policy of a stage."""

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
    """A Prefect task that is retried only after a retryable failure, not after a user's fault.

    Args:
        function: the work; its failed state carries the failure as data.
        policy: retries, their delay and the tags.
        failure: the class of failures that have ``retryable``.
        named: the task's names and description, as Prefect takes them.
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
