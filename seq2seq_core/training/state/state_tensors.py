"""The tensors of a training state: weights, optimiser and averages, by their names in a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from seq2seq_core.training.updates.optimizer import optimizer_tensors, restore_optimizer
from seq2seq_core.training.updates.updater import Updater

WEIGHTS, OPTIMIZER, AVERAGE, LAST_WEIGHTS = "model.", "optimizer.", "average.", "last_weights."


def collect_tensors(updater: Updater) -> dict[str, Tensor]:
    """All tensors of the current state; every rank must call it.

    Args:
        updater: has the model, the optimiser and the averages.
    """
    parts = {
        WEIGHTS: updater.model.state_dict(),
        OPTIMIZER: updater.shards.gather(optimizer_tensors(updater.optimizer, updater.model)),
    }
    if updater.average:
        parts[AVERAGE] = updater.average.model.state_dict()
    if kept := updater.last_average or updater.snapshots:
        parts[LAST_WEIGHTS] = kept.tensors()
    return {f"{prefix}{name}": value for prefix, tensors in parts.items() for name, value in tensors.items()}


def restore_tensors(updater: Updater, tensors: Mapping[str, Tensor]) -> None:
    """Restores the tensors that :func:`collect_tensors` gave.

    Args:
        updater: an updater with the same settings; changed in place.
        tensors: tensors of a checkpoint.
    """
    updater.model.load_state_dict(_part(tensors, WEIGHTS))
    moments = updater.shards.select_own(_part(tensors, OPTIMIZER))
    restore_optimizer(updater.optimizer, updater.model, moments)
    if updater.average:
        updater.average.restore(_part(tensors, AVERAGE))
    if kept := updater.last_average or updater.snapshots:
        kept.restore(_part(tensors, LAST_WEIGHTS))


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors of one part, by their names within that part."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
