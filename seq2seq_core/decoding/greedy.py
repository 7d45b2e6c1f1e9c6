"""Greedy decoding: the likeliest symbol at each step, for a batch of sentences at once.

Shapes: N rows still being decoded, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from seq2seq_core.batching.batch import Source
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.best_extensions import likeliest
from seq2seq_core.decoding.constraints import make_constraints
from seq2seq_core.decoding.hypothesis import Hypothesis, StepModel
from seq2seq_core.decoding.phrases.phrase_rules import RowsOfPhrases
from seq2seq_core.decoding.single_path import extend_to_the_end
from seq2seq_core.decoding.stopping import Stop


def decode(
    model: StepModel,
    source: Source,
    options: DecodingOptions,
    keep_attention: bool = False,
    prefixes: Sequence[Sequence[int]] | None = None,
    stop: Stop | None = None,
    phrases: RowsOfPhrases | None = None,
) -> list[list[Hypothesis]]:
    """One hypothesis for each source, in order; a finished sentence leaves the batch.

    Args:
        model: in evaluation mode.
        source: on the model's device.
        options: ``beam_size`` and ``num_hypotheses`` are not used.
        keep_attention: whether hypotheses carry their attention.
        prefixes: for each source, the ids that its hypothesis must begin with.
        stop: asked before every step; ends the search.
        phrases: for each source, the phrases that no hypothesis may contain.
    """
    constraints = make_constraints(options, source.lengths_B.tolist(), prefixes, phrases, stop)
    return extend_to_the_end(model, source, constraints, _likeliest, options.length_penalty, 1, keep_attention, stop)


def _likeliest(log_probabilities_NV: Tensor, _rows: Sequence[int], _length: int) -> Tensor:
    return likeliest(log_probabilities_NV)
