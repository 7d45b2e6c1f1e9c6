"""The mean of the weights at the last validations (Vaswani 2017, section 6.1), kept beside the weights that are trained."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from seq2seq_core.modeling.seq2seq import Seq2Seq


class KeptWeights:
    """The weights at the last validations, and what is made of them; a new validation replaces the oldest.

    Args:
        num_kept: number of validations; fewer at the beginning of a phase.
    """

    def __init__(self, num_kept: int) -> None:
        self.num_kept = num_kept
        self._kept: dict[int, dict[str, Tensor]] = {}

    @torch.no_grad()
    def take(self, model: Seq2Seq, step: int) -> None:
        """Adds the current weights. A validation that is repeated after an interruption counts once.

        Args:
            model: the model in training.
            step: updates made.
        """
        self._kept[step] = {name: weights.detach().cpu().clone() for name, weights in model.named_parameters()}
        for old in sorted(self._kept)[: -self.num_kept]:
            del self._kept[old]
        self._renew()

    def tensors(self) -> dict[str, Tensor]:
        """The weights that are kept, each named after its step and its parameter: ``00000500.output.bias``."""
        return {f"{step:08d}.{name}": value for step, weights in self._kept.items() for name, value in weights.items()}

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Restores the weights that :meth:`tensors` gave.

        Args:
            tensors: empty before the first validation.
        """
        self._kept = {}
        for key, value in tensors.items():
            step, name = key.split(".", 1)
            self._kept.setdefault(int(step), {})[name] = value
        if self._kept:
            self._renew()

    def _renew(self) -> None:
        """Makes of the weights that are kept what is made of them."""
        raise NotImplementedError


class CheckpointAverage(KeptWeights):
    """The weights at the last validations and their mean.

    Args:
        model: the model to average.
        num_kept: number of validations; fewer at the beginning of a phase.

    Attributes:
        model: a model with the mean, after the first validation.
    """

    def __init__(self, model: Seq2Seq, num_kept: int) -> None:
        super().__init__(num_kept)
        self.model = copy.deepcopy(model).requires_grad_(False)

    @torch.no_grad()
    def _renew(self) -> None:
        """Makes the model's weights the mean of those kept, summed from the oldest on."""
        for name, parameter in self.model.named_parameters():
            total, *others = (self._kept[step][name].double() for step in sorted(self._kept))
            for weights in others:
                total = total + weights
            parameter.copy_(total / len(self._kept))
