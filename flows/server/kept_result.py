"""The result of this process's flow run, for its caller. Prefect itself returns none where its server died during the run."""

from __future__ import annotations

_kept: list[object] = []


def keep_result(result: object) -> None:
    """Keeps a flow run's result before Prefect reports the end of the run.

    Args:
        result: what the final state carries.
    """
    _kept[:] = [result]


def has_result() -> bool:
    """Whether a result is kept."""
    return bool(_kept)


def take_result() -> object | None:
    """The kept result, once; None where there is none."""
    return _kept.pop() if _kept else None
