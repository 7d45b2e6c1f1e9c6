"""Gradient sums over all ranks, in buckets that are sent as soon as the last backward pass completes them (Li 2020, section 3.2).

Every rank sends the same buckets in the same order. A rank without rows sends zeros, so that no other rank waits for it.
Losses are normalised by the size of the whole update, so that the sums are not divided by the number of ranks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn

from seq2seq_core.training.distributed.peer_watch import watch_peers

BUCKET_ELEMENTS = 6_000_000
"""Maximum elements of a bucket of several parameters: large enough to use the bandwidth, small enough to start early."""


class GradientBuckets:
    """Sums of gradients over a process group; see :class:`~seq2seq_core.training.distributed.ranks.GradientSum`.

    Args:
        model: the same one on every rank.
        bucket_elements: maximum elements of a bucket.
    """

    def __init__(self, model: nn.Module, bucket_elements: int = BUCKET_ELEMENTS) -> None:
        # Parameters that are used last get their gradients first.
        self.buckets = cut_into_buckets(list(model.parameters())[::-1], bucket_elements)
        self._bucket_of = {id(parameter): place for place, bucket in enumerate(self.buckets) for parameter in bucket}
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(self._note)  # type: ignore[no-untyped-call]
        self._is_last = False
        self._missing: list[int] = []
        self._sent: list[tuple[Tensor, dist.Work]] = []

    def begin_last(self) -> None:
        """See :class:`~seq2seq_core.training.distributed.ranks.GradientSum`."""
        self._is_last = True
        self._missing = [sum(parameter.requires_grad for parameter in bucket) for bucket in self.buckets]

    def finish(self) -> None:
        """See :class:`~seq2seq_core.training.distributed.ranks.GradientSum`."""
        self._is_last = False
        with watch_peers():
            while len(self._sent) < len(self.buckets):
                self._send_next()
            for _, work in self._sent:
                work.wait()
        for bucket, (flat, _) in zip(self.buckets, self._sent, strict=True):
            sums = torch.split(flat[: -len(bucket)], [parameter.numel() for parameter in bucket])
            is_there = (flat[-len(bucket) :] > 0).tolist()
            for parameter, total, has_gradient in zip(bucket, sums, is_there, strict=True):
                # A parameter without a gradient on any rank gets none: the optimiser skips it, as in a single process.
                parameter.grad = total.view_as(parameter) if has_gradient else None
        self._sent.clear()

    def _note(self, parameter: Tensor) -> None:
        """Sends the buckets that the gradient of this parameter completes."""
        if not self._is_last:
            return
        place = self._bucket_of[id(parameter)]
        assert place >= len(self._sent), "a gradient came after its bucket was sent"
        self._missing[place] -= 1
        while len(self._sent) < len(self.buckets) and self._missing[len(self._sent)] == 0:
            self._send_next()

    def _send_next(self) -> None:
        """Sends the next bucket: its gradients, and for each parameter 1 if it has one, else 0."""
        bucket = self.buckets[len(self._sent)]
        parts = [_flat_gradient(parameter) for parameter in bucket]
        is_there = torch.tensor([float(parameter.grad is not None) for parameter in bucket])
        flat = torch.cat([*parts, is_there.to(parts[0])])
        work = dist.all_reduce(flat, async_op=True)
        assert work is not None
        self._sent.append((flat, work))


def cut_into_buckets(parameters: Sequence[nn.Parameter], bucket_elements: int) -> list[list[nn.Parameter]]:
    """Parameters cut into buckets, in order; each bucket has one dtype and at least one parameter.

    Args:
        parameters: in the order in which they are sent.
        bucket_elements: maximum elements of a bucket of several parameters.
    """
    buckets: list[list[nn.Parameter]] = []
    size = 0
    for parameter in parameters:
        if not buckets or size + parameter.numel() > bucket_elements or parameter.dtype != buckets[-1][0].dtype:
            buckets.append([])
            size = 0
        buckets[-1].append(parameter)
        size += parameter.numel()
    return buckets


def _flat_gradient(parameter: nn.Parameter) -> Tensor:
    """The gradient as a vector; zeros where there is none."""
    gradient = parameter.grad
    return torch.zeros_like(parameter).flatten().detach() if gradient is None else gradient.flatten()
