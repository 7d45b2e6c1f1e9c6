"""What the ranks must agree on: whether to stop, when to save, and the weights."""

from __future__ import annotations

import signal

import torch
from torch import nn

from seq2seq_core.errors import EnvironmentFault
from seq2seq_core.training.distributed.ranks import Ranks

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class RanksDiffer(EnvironmentFault):
    """The weights of the ranks differ: a device computes wrongly, or they run different code."""


def agree_on_stop(ranks: Ranks, asked: signal.Signals | None, is_due: bool) -> tuple[signal.Signals | None, bool]:
    """The stop signal that any rank got, and whether a save is due on rank 0; the same on every rank.

    Args:
        ranks: sums the answers; all ranks must make this call.
        asked: the signal that this rank got, or None.
        is_due: whether a save is due on this rank; only the answer of rank 0 counts.
    """
    told = [float(asked == one) for one in STOP_SIGNALS]
    *stops, saves = ranks.add_up([*told, float(is_due and ranks.rank == 0)])
    return next((one for one, number in zip(STOP_SIGNALS, stops, strict=True) if number), None), saves > 0


def check_same_weights(ranks: Ranks, model: nn.Module, step: int) -> None:
    """Raises if the weights of the ranks differ.

    Args:
        ranks: compares the weights; all ranks must make this call.
        model: the model of this rank; the sum of its weights is compared.
        step: updates made, for the message.

    Raises:
        RanksDiffer: they differ.
    """
    if ranks.number == 1:
        return
    with torch.no_grad():
        own = float(torch.stack([parameter.double().sum() for parameter in model.parameters()]).sum())
    sums = ranks.gather(own)
    differing = [rank for rank, other in enumerate(sums) if other != sums[0]]
    if differing:
        names = ", ".join(map(str, differing))
        raise RanksDiffer(
            f"step {step}: the weights of rank {names} are not those of rank 0; expected the same on all ranks (the same code and "
            "libraries on every node, and devices that compute right); the last checkpoint is as it was"
        )
