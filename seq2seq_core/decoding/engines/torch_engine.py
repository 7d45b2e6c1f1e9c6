"""The reference engine: PyTorch, which holds every model and does all that the options can ask for.

Shapes: N rows being decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from seq2seq_core.batching.batch import Source, collate_sources
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.engines.engine import DecodingStopped, Stop
from seq2seq_core.decoding.hypothesis import Hypothesis, Step, StepModel
from seq2seq_core.decoding.search import decode
from seq2seq_core.tokenization.encode import SourceRow


class TorchEngine:
    """Decodes by the searches of :mod:`~seq2seq_core.decoding.search`.

    Args:
        model: in evaluation mode.
        device: where the model is.
    """

    name, compute_type = "torch", "float32"

    def __init__(self, model: StepModel, device: torch.device) -> None:
        self.model, self.device = model, device
        self.label = f"pytorch {torch.__version__.partition('+')[0]} {device.type}"

    def why_not(self, options: DecodingOptions, keep_attention: bool = False) -> str | None:
        """See :class:`~seq2seq_core.decoding.engines.engine.Engine`; there is nothing."""
        return None

    def decode(
        self,
        rows: Sequence[SourceRow],
        options: DecodingOptions,
        keep_attention: bool = False,
        prefixes: Sequence[Sequence[int]] | None = None,
        stop: Stop | None = None,
    ) -> list[list[Hypothesis]]:
        """See :class:`~seq2seq_core.decoding.engines.engine.Engine`; ``stop`` is asked before each step."""
        model = self.model if stop is None else _StoppedModel(self.model, stop)
        return decode(model, collate_sources(rows).to(self.device), options, keep_attention, prefixes)


class _StoppedModel:
    """A model that ends the search before a step, when told to.

    Args:
        model: the model.
        stop: whether to end now.
    """

    def __init__(self, model: StepModel, stop: Stop) -> None:
        self.model, self.stop = model, stop
        self.training = getattr(model, "training", False)

    def encode(self, source: Source) -> Any:
        """See :class:`~seq2seq_core.decoding.hypothesis.StepModel`."""
        return self.model.encode(source)

    def initial_state(self, memory: Any, num_hypotheses: int = 1) -> Any:
        """See :class:`~seq2seq_core.decoding.hypothesis.StepModel`."""
        return self.model.initial_state(memory, num_hypotheses)

    def step(self, previous_ids_N: Tensor, state: Any) -> Step:
        """One more symbol for every row.

        Raises:
            DecodingStopped: decoding shall end.
        """
        if self.stop():
            raise DecodingStopped
        return self.model.step(previous_ids_N, state)
