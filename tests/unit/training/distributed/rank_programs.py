"""What single ranks do in tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from seq2seq_core.artifacts import Paths
from seq2seq_core.batching.part import PAIRS
from seq2seq_core.config.runtime import RuntimeSection
from seq2seq_core.config.settings import Settings
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.train import TrainResult, run_train
from seq2seq_core.training.data.pair_reader import StoredPairs
from seq2seq_core.training.data.update_plan import PlannedBatch
from seq2seq_core.training.distributed.agreement import check_same_weights
from seq2seq_core.training.distributed.process_group import join_ranks
from seq2seq_core.training.distributed.ranks import SINGLE_RANK, Ranks
from seq2seq_core.training.trainer import Trainer
from seq2seq_core.training.updates.optimizer import optimizer_tensors
from seq2seq_core.training.updates.updater import Updater
from seq2seq_core.training.validation import Validator
from tests.unit.training.updates.test_updater import make_batch, make_pairs, make_updater

ON_CPU = RuntimeSection(device="cpu")


def train(settings: Settings, paths: Paths) -> TrainResult:
    """Trains to the end."""
    return run_train(settings, paths, NullRecorder())


def train_and_die(settings: Settings, paths: Paths, step: int) -> None:
    """The process is killed as by ``kill -9``, in the middle of an update."""
    update = Trainer._update

    def update_and_die(self: Trainer, *arguments: Any) -> None:
        if self.state.step + 1 == step:
            os.kill(os.getpid(), signal.SIGKILL)
        update(self, *arguments)

    with patch.object(Trainer, "_update", update_and_die):
        train(settings, paths)


def train_until_one_rank_is_stopped(
    settings: Settings, paths: Paths, rank: int, step: int, while_validating: bool = False
) -> TrainResult:
    """One rank alone gets SIGTERM, in the middle of an update or of the next validation."""
    update, measure = Trainer._update, Validator._likelihoods

    def measure_and_stop(self: Validator, *arguments: Any) -> dict[int, float]:
        if self.ranks.rank == rank:
            os.kill(os.getpid(), signal.SIGTERM)
        return measure(self, *arguments)

    def update_and_stop(self: Trainer, *arguments: Any) -> None:
        if self.ranks.rank == rank and self.state.step + 1 == step:
            os.kill(os.getpid(), signal.SIGTERM)
        update(self, *arguments)

    in_update, in_validation = (Trainer, "_update", update_and_stop), (Validator, "_likelihoods", measure_and_stop)
    with patch.object(*(in_validation if while_validating else in_update)):
        return train(settings, paths)


def train_with_a_broken_reader(settings: Settings, paths: Paths, rank: int) -> TrainResult:
    """One rank alone cannot read its third batch."""
    read = StoredPairs.read
    calls: list[int] = []

    def fail_at_third(self: StoredPairs, *arguments: Any) -> Any:
        calls.append(1)
        if os.environ["RANK"] == str(rank) and len(calls) == 3:
            raise ValueError("no such page")
        return read(self, *arguments)

    with patch.object(StoredPairs, "read", fail_at_third):
        return train(settings, paths)


def train_with_a_rank_that_computes_wrongly(settings: Settings, paths: Paths, rank: int) -> TrainResult:
    """One rank's weights are other ones after the second update."""
    update = Trainer._update

    def update_wrongly(self: Trainer, *arguments: Any) -> None:
        update(self, *arguments)
        if self.ranks.rank == rank and self.state.step == 2:
            with torch.no_grad():
                self.model.output.bias[4] += 1e-3

    with patch.object(Trainer, "_update", update_wrongly):
        return train(settings, paths)


def train_with_a_gradient_that_is_no_number(settings: Settings, paths: Paths, rank: int, step: int) -> TrainResult:
    """One rank has a gradient that is no number, once."""
    update, calls = Trainer._update, list[int]()

    def spoil(gradient: Tensor) -> Tensor:
        return gradient * float("nan")

    def update_once_wrongly(self: Trainer, *arguments: Any) -> None:
        calls.append(1)
        is_wrong = self.ranks.rank == rank and len(calls) == step
        hook = self.model.output.bias.register_hook(spoil) if is_wrong else None  # type: ignore[no-untyped-call]
        update(self, *arguments)
        if hook:
            hook.remove()

    with patch.object(Trainer, "_update", update_once_wrongly):
        return train(settings, paths)


def fail_in_backward(rank: int) -> Any:
    """One rank fails in the middle of its gradients, the others wait for them."""
    with join_ranks(ON_CPU) as ranks:
        updater = Updater(make_updater(1).model, make_updater(1).settings, make_updater(1).placement, ranks=ranks)
        if ranks.rank == rank:
            updater.model.output.bias.register_hook(_fail)  # type: ignore[no-untyped-call]
        return apply(updater, ranks, [4, 4], 1)


def _fail(gradient: Tensor) -> Tensor:
    raise MemoryError("no room")


def update_together(
    sizes: Sequence[int], num_updates: int, shards: bool = False, **updater: Any
) -> tuple[list[tuple[float, float, int, int]], Tensor, int]:
    """Loss, gradient norm and counts of some updates of batches of so many rows, logits after them, and moments kept here."""
    with join_ranks(ON_CPU.model_copy(update={"shard_optimizer": shards})) as ranks:
        return update_on(ranks, sizes, num_updates, **updater)


def update_on(
    ranks: Ranks, sizes: Sequence[int], num_updates: int, seed: int = 1, **updater: Any
) -> tuple[list[tuple[float, float, int, int]], Tensor, int]:
    """See :func:`update_together`; ``ranks`` may be a single one."""
    alone = make_updater(seed, **updater)
    together = Updater(alone.model, alone.settings, alone.placement, ranks=ranks)
    figures = [apply(together, ranks, sizes, step) for step in range(1, num_updates + 1)]
    check_same_weights(ranks, together.model, num_updates)
    batch = make_batch(make_pairs())
    moments = optimizer_tensors(together.optimizer, together.model)
    return figures, together.model.eval()(batch.source, batch.target_in_BT).detach(), len(moments)


def update_alone(sizes: Sequence[int], num_updates: int, **updater: Any) -> tuple[list[tuple[float, float, int, int]], Tensor, int]:
    """The same in a single process."""
    return update_on(SINGLE_RANK, sizes, num_updates, **updater)


def apply(updater: Updater, ranks: Ranks, sizes: Sequence[int], step: int) -> tuple[float, float, int, int]:
    """One update of batches of so many rows."""
    pairs, edges = make_pairs(), np.cumsum([0, *sizes])
    planned = [PlannedBatch(PAIRS, np.arange(first, last)) for first, last in zip(edges.tolist(), edges[1:].tolist(), strict=False)]
    pieces = ranks.share_out(planned)
    batches = [make_batch([pairs[index] for index in piece.batch.indices]) for piece in pieces]
    result = updater.apply(batches, step, seed=step, keys=[piece.key for piece in pieces])
    return result.negative_log_likelihood, result.gradient_norm, result.target_tokens, result.tokens


def gradients_together(sizes: Sequence[int]) -> dict[str, Tensor | None]:
    """The gradients of an update in which the encoder is frozen, as every rank has them."""
    with join_ranks(ON_CPU) as ranks:
        return gradients_on(ranks, sizes)


def gradients_alone(sizes: Sequence[int]) -> dict[str, Tensor | None]:
    """The same in a single process."""
    return gradients_on(SINGLE_RANK, sizes)


def gradients_on(ranks: Ranks, sizes: Sequence[int]) -> dict[str, Tensor | None]:
    alone = make_updater(1, gradient_clip_norm=0.0, freeze=["encoder"])
    updater = Updater(alone.model, alone.settings, alone.placement, ranks=ranks)
    apply(updater, ranks, sizes, 1)
    return {name: parameter.grad for name, parameter in updater.model.named_parameters()}
