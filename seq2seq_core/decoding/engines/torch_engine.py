"""PyTorch, which holds every model and does all that the options can ask for: at float32 the reference, at 8 bits faster."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import nn

from seq2seq_core.allocation import keep_freed_memory
from seq2seq_core.batching.batch import collate_sources
from seq2seq_core.batching.length_batches import BatchBounds, batches_by_length
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.hypothesis import Hypothesis
from seq2seq_core.decoding.phrases.phrase_rules import RowsOfPhrases
from seq2seq_core.decoding.search import decode
from seq2seq_core.decoding.stopping import Stop
from seq2seq_core.errors import NonFiniteOutput
from seq2seq_core.modeling.ensemble import AnyModel
from seq2seq_core.tokenization.encode import SourceRow


class TorchEngine:
    """Decodes by the searches of :mod:`~seq2seq_core.decoding.search`.

    Args:
        model: in evaluation mode; its weights do not change any more.
        device: where the model is; the CPU if ``is_quantized``.
        is_quantized: whether the large matrices are used at 8 bits.
    """

    name = "torch"

    def __init__(self, model: AnyModel, device: torch.device, is_quantized: bool = False) -> None:
        self.model, self.device, self.is_quantized = model, device, is_quantized
        self.compute_type = "int8_float32" if is_quantized else "float32"
        self._is_prepared = False
        self.label = f"pytorch {torch.__version__.partition('+')[0]} {device.type}"

    def why_not(self, options: DecodingOptions, keep_attention: bool = False, has_phrases: bool = False) -> str | None:
        """See :class:`~seq2seq_core.decoding.engines.engine.Engine`; there is nothing."""
        return None

    def decode(
        self,
        rows: Sequence[SourceRow],
        options: DecodingOptions,
        bounds: BatchBounds,
        keep_attention: bool = False,
        prefixes: Sequence[Sequence[int]] | None = None,
        stop: Stop | None = None,
        phrases: RowsOfPhrases | None = None,
    ) -> list[list[Hypothesis]]:
        """See :class:`~seq2seq_core.decoding.engines.engine.Engine`; ``stop`` is asked before each step."""
        if not self._is_prepared:
            self._prepare()
        found: list[list[Hypothesis]] = [[] for _ in rows]
        for places in batches_by_length([len(row) for row in rows], bounds):
            source = collate_sources([rows[place] for place in places]).to(self.device)
            starts = None if prefixes is None else [prefixes[place] for place in places]
            asked = None if phrases is None else [phrases[place] for place in places]
            try:
                with torch.inference_mode():
                    hypotheses = decode(self.model, source, options, keep_attention, starts, stop, asked)
            except NonFiniteOutput as error:
                raise NonFiniteOutput(places[error.place]) from None
            for place, one in zip(places, hypotheses, strict=True):
                found[place] = one
        return found

    def _prepare(self) -> None:
        """Takes memory for speed on a CPU, once there is something to decode."""
        self._is_prepared = True
        if self.device.type == "cpu":
            keep_freed_memory()
            self.model.pack_weights(self.is_quantized)


def share_weights(model: AnyModel) -> AnyModel:
    """Another model on the CPU with the same weights; they are in memory only once, but what is packed of one is not of the other.

    Args:
        model: in evaluation mode.
    """
    shared = {id(weight): nn.Parameter(weight.detach().cpu(), requires_grad=False) for weight in model.parameters()}
    return deepcopy(model, dict(shared)).cpu()
