"""What CTranslate2 can hold and decode."""

from __future__ import annotations

from seq2seq_core.bundle.config_file import BundleConfig
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.model import ModelSection

MAX_SINUSOIDS = 1024
"""Rows of a table of sinusoidal positions."""


def why_not_hold(config: BundleConfig) -> str | None:
    """Why CTranslate2 cannot hold a model; None: it can.

    Args:
        config: the configuration of the model.
    """
    model = config.model
    if config.members > 1:
        return f"it is an ensemble of {config.members} models, and CTranslate2 decodes with one"
    for side, kind in (("encoder", model.encoder_architecture), ("decoder", model.decoder_architecture)):
        if kind != "transformer":
            return f"the {side} is recurrent ({kind})"
    if config.frame_width:
        return "the sources are frames"
    if model.positions == "relative_sinusoidal":
        return "the positions are sinusoids of distances (model.positions relative_sinusoidal)"
    if not model.tag_positions:
        return "tags have no positions (model.tag_positions false)"
    if model.pointer_generator:
        return "the model copies from the source (model.pointer_generator)"
    if model.time_reduction:
        return f"the source's time axis is halved (model.time_reduction {model.time_reduction})"
    if model.time_scaling != "none":
        return f"the encoded source is scaled by time step (model.time_scaling {model.time_scaling})"
    return None


def num_positions(model: ModelSection) -> int | None:
    """The length of the longest sequence that a converted model can take; None: any.

    Args:
        model: the architecture.
    """
    return {"sinusoidal": MAX_SINUSOIDS, "learned": model.max_positions, "rotary": None, "relative": None}[model.positions]


def why_not_decode(
    options: DecodingOptions, vocabulary_size: int, keep_attention: bool = False, has_phrases: bool = False
) -> str | None:
    """Why CTranslate2 would decode otherwise than the reference; None: it decodes alike.

    Args:
        options: the decoding options.
        vocabulary_size: number of target ids.
        keep_attention: whether hypotheses must carry their attention.
        has_phrases: whether phrases are forced or forbidden.
    """
    if options.ctc_weight:
        return "it cannot weigh the encoder's own symbols (ctc_weight)"
    if options.method != "beam":
        return "its samples would depend on the batch"
    if has_phrases:
        return "it cannot force or forbid phrases"
    if keep_attention:
        return "it averages the attention in another way"
    if options.min_length or options.no_repeat_ngram_size:
        name = "min_length" if options.min_length else "no_repeat_ngram_size"
        return f"with {name} it gives the probability of forbidden symbols to the others"
    if options.diversity_groups > 1:
        return "it has no diverse groups"
    if options.num_hypotheses > 1:
        return "it ends the search before the second-best hypothesis is certain"
    if options.length_penalty > 1.0:
        return "it ends the search before long hypotheses are finished, which a length_penalty above 1 prefers"
    if 2 * options.beam_size > vocabulary_size:
        return f"a beam of {options.beam_size} needs {2 * options.beam_size} symbols, the vocabulary has {vocabulary_size}"
    return None
