"""Ranks as processes of ``torch.distributed``: NCCL for tensors on GPUs, gloo for tensors on CPUs."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from seq2seq_core.config.runtime import RuntimeSection
from seq2seq_core.errors import EXIT_CRASH, Seq2SeqError, UserError
from seq2seq_core.reproducibility import derive_seed
from seq2seq_core.training.data.update_plan import PlannedBatch
from seq2seq_core.training.distributed.gradient_buckets import GradientBuckets
from seq2seq_core.training.distributed.peer_watch import watch_peers
from seq2seq_core.training.distributed.rank_environment import PeerFault, PeerLost, RankPlace, find_rank_place, mark_as_shared
from seq2seq_core.training.distributed.ranks import SINGLE_RANK, UNSHARDED, GradientSum, OptimizerShards, Ranks
from seq2seq_core.training.distributed.rendezvous import enter_attempt
from seq2seq_core.training.distributed.sharded_optimizer import ShardedOptimizer
from seq2seq_core.training.distributed.shares import Piece, share_out

T = TypeVar("T")


class GroupRanks:
    """This process as a member of the default process group; see :class:`~seq2seq_core.training.distributed.ranks.Ranks`.

    Args:
        rank: its number, from 0.
        number: number of ranks.
        shards_optimizer: whether each rank keeps only a part of the optimiser's state.
    """

    def __init__(self, rank: int, number: int, shards_optimizer: bool = False) -> None:
        self.rank, self.number, self.shards_optimizer = rank, number, shards_optimizer
        self._failure: Exception | None = None
        self._sums: tuple[nn.Module, GradientBuckets] | None = None

    def share_out(self, batches: Sequence[PlannedBatch]) -> list[Piece]:
        """See :class:`~seq2seq_core.training.distributed.ranks.Ranks`."""
        return share_out(batches, self.rank, self.number)

    def seed_piece(self, seed: int, key: tuple[int, ...]) -> None:
        """See :class:`~seq2seq_core.training.distributed.ranks.Ranks`; a seed for each piece: no two draw the same dropout."""
        torch.manual_seed(derive_seed(seed, "piece", *key))

    def attempt(self, action: Callable[[], list[T]]) -> list[T]:
        """See :class:`~seq2seq_core.training.distributed.ranks.Ranks`."""
        if self._failure is not None:
            return []
        try:
            return action()
        except PeerLost:
            raise
        except Exception as error:  # noqa: BLE001 - the other ranks must learn of any error
            self._failure = error
            return []

    def add_up(self, values: Sequence[float]) -> list[float]:
        """See :class:`~seq2seq_core.training.distributed.ranks.Ranks`."""
        sums = torch.tensor([*values, float(self._failure is not None)], dtype=torch.float64)
        with watch_peers():
            dist.all_reduce(sums)
        *totals, num_failures = sums.tolist()
        if num_failures:
            self._raise_failure()
        return totals

    def gather(self, value: T) -> list[T]:
        """See :class:`~seq2seq_core.training.distributed.ranks.Ranks`."""
        contents = torch.frombuffer(bytearray(pickle.dumps(value)), dtype=torch.uint8)
        with watch_peers():
            lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(self.number)]
            dist.all_gather(lengths, torch.tensor([len(contents)]))
            longest = max(int(length) for length in lengths)
            padded = torch.zeros(longest, dtype=torch.uint8)
            padded[: len(contents)] = contents
            found = [torch.zeros(longest, dtype=torch.uint8) for _ in range(self.number)]
            dist.all_gather(found, padded)
        values: list[T] = [pickle.loads(one[: int(length)].numpy().tobytes()) for one, length in zip(found, lengths, strict=True)]
        return values

    def from_first(self, make: Callable[[], T]) -> T:
        """See :class:`~seq2seq_core.training.distributed.ranks.Ranks`."""
        made = self.attempt(lambda: [make()]) if self.rank == 0 else []
        self.add_up([])
        first = self.gather(made)[0]
        return (made or first)[0]

    def tensors_from_first(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """See :class:`~seq2seq_core.training.distributed.ranks.Ranks`; one by one, to avoid a copy of all."""
        shapes = [(name, tuple(value.shape), value.dtype) for name, value in tensors.items()] if self.rank == 0 else []
        found = {}
        for name, shape, dtype in self.gather(shapes)[0]:
            value = tensors[name].detach().cpu().contiguous() if self.rank == 0 else torch.empty(shape, dtype=dtype)
            with watch_peers():
                dist.broadcast(value, src=0)
            found[name] = value
        return found

    def gradient_sum(self, model: nn.Module) -> GradientSum:
        """See :class:`~seq2seq_core.training.distributed.ranks.Ranks`."""
        if self._sums is None or self._sums[0] is not model:
            self._sums = (model, GradientBuckets(model))
        return self._sums[1]

    def optimizer_shards(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> OptimizerShards:
        """See :class:`~seq2seq_core.training.distributed.ranks.Ranks`."""
        return ShardedOptimizer(model, optimizer, self) if self.shards_optimizer else UNSHARDED

    def _raise_failure(self) -> None:
        """Raises this rank's own failure, else the fault of the first rank that failed."""
        own = None if self._failure is None else _describe(self._failure, self.rank)
        (kind, message, exit_code, retryable), *_ = [told for told in self.gather(own) if told]
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        raise PeerFault(message, kind, exit_code, retryable)


@contextmanager
def join_ranks(settings: RuntimeSection) -> Iterator[Ranks]:
    """Joins the ranks of this training for a ``with`` block; a single rank if no launcher started this process.

    Args:
        settings: section ``runtime``; reads ``device``, ``shard_optimizer`` and ``rank_timeout_seconds``.

    Raises:
        UserError: ``runtime.device`` names one GPU for all ranks, or there is none for this one.
        PeerLost: the ranks could not connect.
    """
    place = find_rank_place()
    if place is None:
        yield SINGLE_RANK
        return
    device = torch.device(settings_of_rank(settings, place).device)
    is_gpu = device.type == "cuda"
    if is_gpu:
        torch.cuda.set_device(device)
    timeout = timedelta(seconds=settings.rank_timeout_seconds)
    with watch_peers():
        shared, rank, number = next(dist.rendezvous("env://", timeout=timeout))  # type: ignore[attr-defined]
        store = enter_attempt(shared, rank, number, timeout)
        backend = "cpu:gloo,cuda:nccl" if is_gpu else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=number, timeout=timeout)
    try:
        yield GroupRanks(place.rank, place.number, settings.shard_optimizer)
    except BaseException as error:
        # Other ranks may be in a collective call: the group ends with the process.
        mark_as_shared(error)
        raise
    dist.destroy_process_group()


def settings_of_rank(settings: RuntimeSection, place: RankPlace | None) -> RuntimeSection:
    """The settings of one rank: its GPU or its share of the cores, and one progress display for all ranks.

    Args:
        settings: section ``runtime`` of the training.
        place: place of the rank; None for a process that trains alone.

    Raises:
        UserError: ``runtime.device`` names one GPU for all ranks, or there is none for this one.
    """
    if place is None:
        return settings
    values: dict[str, object] = {} if place.is_first else {"progress": "plain"}
    if settings.device.startswith("cuda:"):
        raise UserError(f"runtime.device: must be 'auto', 'cpu' or 'cuda' with {place.number} processes, got {settings.device!r}")
    if settings.device == "cuda" or (settings.device == "auto" and torch.cuda.is_available()):
        if place.local_rank >= torch.cuda.device_count():
            raise UserError(
                f"rank {place.rank} has no GPU: expected at most one rank for each of the {torch.cuda.device_count()} GPUs that "
                f"PyTorch sees on this machine, got {place.local_number} (runtime.device: cpu trains without)"
            )
        values["device"] = f"cuda:{place.local_rank}"
    else:
        values["device"] = "cpu"
        values["num_threads"] = settings.num_threads or max(1, torch.get_num_threads() // place.local_number)
    return settings.model_copy(update=values)


def _describe(error: Exception, rank: int) -> tuple[str, str, int, bool]:
    """Kind, message and exit code of a rank's fault, and whether a retry can help: for the other ranks to report."""
    if isinstance(error, Seq2SeqError):
        return error.kind, str(error), error.exit_code, error.retryable
    return "crash", f"rank {rank}: {type(error).__name__}: {error}", EXIT_CRASH, True
