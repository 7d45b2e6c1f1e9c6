"""Learning rates: a linear warm-up, then the schedule that the settings name.

A schedule is a module of ``updates/schedules`` with a function ``fraction(step, settings)``: the share of the peak at an update
after the warm-up. It depends on the step alone, so that no state is saved. Only ``plateau`` also depends on the dev metric, and so
has a state.
"""

from __future__ import annotations

from seq2seq_core.config.train import PhaseSettings
from seq2seq_core.named_modules import load
from seq2seq_core.training.updates import schedules


def learning_rate(step: int, settings: PhaseSettings) -> float:
    """The learning rate of an update, before reductions.

    Args:
        step: number of the update in its phase, from 1.
        settings: ``learning_rate`` is reached at step ``warmup_steps``; ``linear`` and ``cosine`` come near 0 at ``max_steps``.
    """
    peak, warmup = settings.learning_rate, settings.warmup_steps
    if step < warmup:
        return peak * step / warmup
    fraction: float = load(schedules.__name__, settings.schedule).fraction(step, settings)
    return peak * fraction


def decayed_fraction(step: int, settings: PhaseSettings) -> float:
    """The place of a step between the end of the warm-up (0) and one step past the last (1).

    Args:
        step: number of the update in its phase, from 1.
        settings: ``warmup_steps`` and ``max_steps``.
    """
    return (step - settings.warmup_steps) / (settings.max_steps + 1 - settings.warmup_steps)
