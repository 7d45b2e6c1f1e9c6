"""What ranks have to be at one about: whether to stop, when to save, and the weights."""

from __future__ import annotations

import signal

import torch
from torch import nn

from seq2seq_core.errors import EnvironmentFault
from seq2seq_core.training.distributed.ranks import Ranks

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class RanksDiffer(EnvironmentFault):
    """The ranks have not the same weights: a device computes wrongly, or they run different code."""


def agree_on_stop(ranks: Ranks, asked: signal.Signals | None, is_due: bool) -> tuple[signal.Signals | None, bool]:
    """The signal by which any rank was asked to stop, and whether rank 0 finds that it is time to save: the same on every rank.

    Args:
        ranks: of the training.
        asked: the signal that this rank got; None while it got none.
        is_due: whether this rank finds that it is time to save.
    """
    told = [float(asked == one) for one in STOP_SIGNALS]
    *stops, saves = ranks.add_up([*told, float(is_due and ranks.rank == 0)])
    return next((one for one, number in zip(STOP_SIGNALS, stops, strict=True) if number), None), saves > 0


def check_same_weights(ranks: Ranks, model: nn.Module, step: int) -> None:
    """Refuses to go on where the ranks' weights have come apart.

    Args:
        ranks: of the training.
        model: of this rank.
        step: updates made, for the message.

    Raises:
        RanksDiffer: they have.
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
