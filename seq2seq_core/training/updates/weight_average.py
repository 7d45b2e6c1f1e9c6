"""The exponential moving average (EMA) of the weights (Polyak and Juditsky 1992), kept beside the weights that are trained."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from seq2seq_core.modeling.seq2seq import Seq2Seq


class WeightAverage:
    """An exponential average: after update n it is d times itself plus 1 - d times the weights, d = min(decay, (1 + n) / (10 + n)).

    The smaller d of the first updates lets go of the initial weights.

    Args:
        model: whose weights are averaged; the average begins as a copy of them.
        decay: from above 0 to below 1.
        updates: how many the average has seen already; :meth:`restore` gives it what it made of them.

    Attributes:
        model: a model with the averaged weights.
    """

    def __init__(self, model: Seq2Seq, decay: float, updates: int = 0) -> None:
        self.model, self.decay, self.updates = copy.deepcopy(model).requires_grad_(False), decay, updates

    @torch.no_grad()
    def update(self, model: Seq2Seq) -> None:
        """Takes in the weights after an update.

        Args:
            model: the one that is trained.
        """
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for average, weights in zip(self.model.parameters(), model.parameters(), strict=True):
            average.lerp_(weights, 1.0 - decay)

    def restore(self, weights: Mapping[str, Tensor]) -> None:
        """Puts back the average of an earlier process.

        Args:
            weights: its model's ``state_dict``.
        """
        self.model.load_state_dict(weights)
