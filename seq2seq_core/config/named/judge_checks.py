"""Settings that do not fit a judge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from seq2seq_core.config.named.judge import JUDGED_OBJECTIVES
from seq2seq_core.config.objective_sections import REWARD_OBJECTIVES

if TYPE_CHECKING:
    from seq2seq_core.config.settings import Settings


def why_not_judged(settings: Settings) -> str:
    """The first setting that does not fit a judge; empty: all do, or there is none.

    Args:
        settings: all sections.
    """
    return next(_faults(settings), "")


def _faults(settings: Settings) -> Iterator[str]:
    train, source_kind = settings.train, settings.corpus.source_kind
    if train.judge is not None and not any(phase.asks_judge for phase in train.all_phases()):
        yield f"train.judge: must be left out unless the objective of a phase is one of {', '.join(JUDGED_OBJECTIVES)}, got one"
    for number, phase in enumerate(train.phases):
        if phase.judge is not None and phase.objective in REWARD_OBJECTIVES and phase.judge.weight != 1.0:
            yield f"train.phases.{number}.judge.weight: must be left out with objective {phase.objective!r}, which has no such loss"
        if phase.asks_judge and source_kind != "text":
            yield f"train.phases.{number}.judge: must be left out unless corpus.source_kind is 'text', got {source_kind!r}"
