"""Ids that complete what a hypothesis lacks, as a list whose ends are shared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, eq=False, slots=True)
class Plan:
    """Ids that complete what a hypothesis lacks, after which it may end. Plans share their ends, so each takes little memory.

    Attributes:
        first: the first id; None: nothing is lacking.
        rest: the plan behind it.
        num_ids: how many ids there are.
    """

    first: int | None = None
    rest: Plan | None = None
    num_ids: int = 0

    def __iter__(self) -> Iterator[int]:
        one: Plan | None = self
        while one is not None and one.first is not None:
            yield one.first
            one = one.rest


NO_IDS = Plan()
"""The plan where nothing is lacking."""


def put_before(ids: Sequence[int], plan: Plan) -> Plan:
    """A plan that begins with some ids.

    Args:
        ids: in front.
        plan: what follows.
    """
    for id_ in reversed(ids):
        plan = Plan(id_, plan, plan.num_ids + 1)
    return plan
