"""Decoding by the method that the options name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import assert_never

from seq2seq_core.batching.batch import Source
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding import beam_search, greedy, sampling
from seq2seq_core.decoding.ctc_model import CtcModel
from seq2seq_core.decoding.diverse_beam_search import DiverseSearch
from seq2seq_core.decoding.hypothesis import Hypothesis, StepModel, check_evaluation_mode
from seq2seq_core.decoding.phrases.constrained_beam_search import ConstrainedSearch
from seq2seq_core.decoding.phrases.phrase_rules import RowsOfPhrases
from seq2seq_core.decoding.stopping import Stop
from seq2seq_core.modeling.seq2seq import Seq2Seq


def decode(
    model: StepModel,
    source: Source,
    options: DecodingOptions,
    keep_attention: bool = False,
    prefixes: Sequence[Sequence[int]] | None = None,
    stop: Stop | None = None,
    phrases: RowsOfPhrases | None = None,
) -> list[list[Hypothesis]]:
    """The hypotheses of each source: best first by beam search (greedy decoding with a beam of 1), or in the order drawn.

    Args:
        model: in evaluation mode.
        source: on the model's device.
        options: the decoding options.
        keep_attention: whether hypotheses carry their attention.
        prefixes: for each source, the ids that its hypotheses must begin with.
        stop: asked before every step; ends the search.
        phrases: for each source, the phrases that its hypotheses must and must not contain; forced ones need beam search.
    """
    search: Callable[..., list[list[Hypothesis]]]
    match options.method:
        case "sampling":
            search = sampling.decode
        case "beam" if phrases is not None and any(one is not None and one.forced for one in phrases):
            search = partial(beam_search.decode, kind=ConstrainedSearch)
        case "beam" if options.diversity_groups > 1:
            search = partial(beam_search.decode, kind=DiverseSearch)
        case "beam":
            search = greedy.decode if options.beam_size == 1 else beam_search.decode
        case unknown:
            assert_never(unknown)
    if options.ctc_weight and isinstance(model, Seq2Seq) and model.ctc is not None:
        check_evaluation_mode(model)
        model = CtcModel(model, options.ctc_weight)
    return search(model, source, options, keep_attention, prefixes, stop, phrases)
