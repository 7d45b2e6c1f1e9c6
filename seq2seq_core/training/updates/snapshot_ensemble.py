"""The weights at the last validations as an ensemble, kept beside the weights that are trained (Sennrich 2016, section 2.2)."""

from __future__ import annotations

import copy

import torch

from seq2seq_core.modeling.ensemble import Ensemble
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.training.updates.checkpoint_average import KeptWeights


class SnapshotEnsemble(KeptWeights):
    """The weights at the last validations, each a member of an ensemble; a new validation replaces the oldest.

    Args:
        model: the model in training.
        num_kept: number of validations; fewer at the beginning.

    Attributes:
        ensemble: of the weights that are kept, the oldest first, after the first validation.
    """

    def __init__(self, model: Seq2Seq, num_kept: int) -> None:
        super().__init__(num_kept)
        self._models = [copy.deepcopy(model).requires_grad_(False) for _ in range(num_kept)]
        self.ensemble = Ensemble(self._models[:1])

    @torch.no_grad()
    def _renew(self) -> None:
        """Gives each member its weights."""
        for model, step in zip(self._models, sorted(self._kept), strict=False):
            for name, parameter in model.named_parameters():
                parameter.copy_(self._kept[step][name])
        self.ensemble = Ensemble(self._models[: len(self._kept)])
