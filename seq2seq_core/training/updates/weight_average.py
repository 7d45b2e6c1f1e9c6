"""The exponential moving average (EMA) of the weights (Polyak and Juditsky 1992), kept beside the weights that are trained."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from seq2seq_core.modeling.seq2seq import Seq2Seq


class WeightAverage:
    """An exponential average: at update n, average = d * average + (1 - d) * weights, d = min(decay, (1 + n) / (10 + n)).

    The smaller d of the first updates removes the initial weights from the average.

    Args:
        model: the model to average; the average begins as a copy of its weights.
        decay: from above 0 to below 1.
        updates: number of updates in the average so far; :meth:`restore` gives the average itself.

    Attributes:
        model: a model with the averaged weights.
    """

    def __init__(self, model: Seq2Seq, decay: float, updates: int = 0) -> None:
        self.model, self.decay, self.updates = copy.deepcopy(model).requires_grad_(False), decay, updates

    @torch.no_grad()
    def update(self, model: Seq2Seq) -> None:
        """Adds the weights after an update.

        Args:
            model: the model in training.
        """
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for average, weights in zip(self.model.parameters(), model.parameters(), strict=True):
            average.lerp_(weights, 1.0 - decay)

    def restore(self, weights: Mapping[str, Tensor]) -> None:
        """Restores the average of an earlier process.

        Args:
            weights: its model's ``state_dict``.
        """
        self.model.load_state_dict(weights)
