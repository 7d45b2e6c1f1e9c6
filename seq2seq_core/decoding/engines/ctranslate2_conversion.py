"""Conversion of Transformers to CTranslate2's format, straight from their weights, by its public specifications.

CTranslate2's own sinusoids differ from ours, so positions are always a table.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from seq2seq_core.bundle.config_file import BundleConfig
from seq2seq_core.config.decoding_options import QUANTIZED_TYPES, ComputeType
from seq2seq_core.config.model import ModelSection
from seq2seq_core.decoding.engines.ctranslate2_limits import MAX_SINUSOIDS
from seq2seq_core.errors import UserError
from seq2seq_core.modeling.decoders.transformer_decoder import TransformerDecoder, TransformerDecoderLayer
from seq2seq_core.modeling.encoders.transformer_encoder import TransformerEncoder, TransformerEncoderLayer
from seq2seq_core.modeling.layers.embedding import TokenEmbedding
from seq2seq_core.modeling.layers.feed_forward import FeedForward
from seq2seq_core.modeling.layers.multi_head_attention import MultiHeadAttention
from seq2seq_core.modeling.layers.positions import LearnedPositions, sinusoidal_positions
from seq2seq_core.modeling.layers.relative_attention import LearnedDistances
from seq2seq_core.modeling.layers.sublayer import layers_in_order
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.tokenization.special_tokens import BOS_ID, EOS_ID, UNK_ID

if TYPE_CHECKING:
    from ctranslate2.specs import TransformerSpec

PACKAGE = "ctranslate2"
_LARGEST = np.float32(63)
"""Of a weight of 8 bits: 2 · 255 · 63 is below 2 ** 15."""
MODEL_FILE, CONFIG_FILE = "model.bin", "config.json"
SOURCE_NAMES_FILE, TARGET_NAMES_FILE = "source_vocabulary.json", "target_vocabulary.json"


class Vocabularies(NamedTuple):
    """The names of a model's ids, in the order of the ids.

    Attributes:
        source: of the source's ids.
        target: of the target's ids.
    """

    source: Sequence[str]
    target: Sequence[str]


def numbered(config: BundleConfig) -> Vocabularies:
    """The ids themselves as their names.

    Args:
        config: the configuration of the model.
    """
    sizes = (config.source_vocabulary_size, config.target_vocabulary_size)
    return Vocabularies(*([str(id_) for id_ in range(size)] for size in sizes))


def convert(model: Seq2Seq, settings: ModelSection, vocabularies: Vocabularies, compute_type: ComputeType) -> TransformerSpec:
    """A model in CTranslate2's format; the same for the same weights.

    Args:
        model: of an architecture that :func:`~seq2seq_core.decoding.engines.ctranslate2_limits.why_not_hold` allows.
        settings: the architecture.
        vocabularies: the names of the ids.
        compute_type: the type that the weights are stored in.

    Raises:
        UserError: the package is missing.
    """
    specs = load_package().specs
    encoder, decoder = model.encoder, model.decoder
    assert isinstance(encoder, TransformerEncoder), "why_not_hold sees to it"
    assert isinstance(decoder, TransformerDecoder), "why_not_hold sees to it"
    shape: dict[str, Any] = {"pre_norm": settings.norm == "pre"}
    if settings.positions == "rotary":
        shape |= {"rotary_dim": settings.width // settings.heads, "rotary_interleave": True}
    if settings.positions == "relative":
        shape |= {"relative_position": True}
    spec = specs.TransformerSpec(
        specs.TransformerEncoderSpec(settings.encoder_layers, settings.heads, **shape),
        specs.TransformerDecoderSpec(settings.decoder_layers, settings.heads, **shape),
    )
    source_embedding = model.source_embedding or model.target_embedding
    assert isinstance(source_embedding, TokenEmbedding), "why_not_hold sees to it"
    _fill_stack(spec.encoder, spec.encoder.embeddings[0], encoder, source_embedding, settings)
    _fill_stack(spec.decoder, spec.decoder.embeddings, decoder, model.target_embedding, settings)
    weight_VD, bias_V = model.output_weights()
    spec.decoder.projection.weight, spec.decoder.projection.bias = _array(weight_VD), _array(bias_V)
    spec.register_source_vocabulary(list(vocabularies.source))
    spec.register_target_vocabulary(list(vocabularies.target))
    for name, value in model_config(vocabularies).items():
        setattr(spec.config, name, value)
    spec.validate()
    is_quantized = compute_type in QUANTIZED_TYPES
    exact = {name: value.numpy().copy() for name, value in spec.variables().items()} if is_quantized else {}
    spec.optimize(quantization=compute_type)
    if is_quantized:
        _use_seven_bits(spec, exact)
    return spec


def model_config(vocabularies: Vocabularies) -> dict[str, object]:
    """What CTranslate2's ``config.json`` must say of a converted model.

    Args:
        vocabularies: the names of the ids.
    """
    names = vocabularies.target
    tokens = {"unk_token": names[UNK_ID], "bos_token": names[BOS_ID], "eos_token": names[EOS_ID]}
    switches = {"add_source_bos": False, "add_source_eos": False, "multi_query_attention": False}
    return {**tokens, **switches, "decoder_start_token": names[BOS_ID], "layer_norm_epsilon": nn.LayerNorm(1).eps}


def serialize(spec: TransformerSpec) -> bytes:
    """The weights of a converted model, as CTranslate2 stores them.

    Args:
        spec: from :func:`convert`.
    """
    with tempfile.TemporaryDirectory() as room:
        spec.save(room)
        return (Path(room) / MODEL_FILE).read_bytes()


def model_files(weights: bytes, vocabularies: Vocabularies) -> dict[str, bytes]:
    """The files that CTranslate2 reads, by name.

    Args:
        weights: from :func:`serialize`.
        vocabularies: the names of the ids.
    """
    contents = {
        CONFIG_FILE: model_config(vocabularies),
        SOURCE_NAMES_FILE: list(vocabularies.source),
        TARGET_NAMES_FILE: list(vocabularies.target),
    }
    texts = {name: json.dumps(content, ensure_ascii=False, indent=1).encode() for name, content in contents.items()}
    return {MODEL_FILE: weights, **texts}


def load_package() -> Any:
    """The package ctranslate2.

    Raises:
        UserError: it is missing.
    """
    try:
        import ctranslate2
        import ctranslate2.specs
    except ImportError:
        raise UserError(
            f"the engine {PACKAGE} needs the package of that name, which is not installed; run: pip install {PACKAGE} "
            "(or export with evaluate.engine torch)"
        ) from None
    return ctranslate2


def _use_seven_bits(spec: TransformerSpec, exact: Mapping[str, NDArray[np.float32]]) -> None:
    """Rounds weights of 8 bits to at most 63, so that every CPU finds the same products.

    A CPU without instructions for products of 8 bits (VNNI) adds two of them at 16 bits, each a number of 0 to 255 by a weight.
    At 127 the sum may exceed these 16 bits, and is cut without a word; at 63 it cannot.

    Args:
        spec: the converted model; its weights are changed in place.
        exact: the values of all its variables before they were rounded.
    """
    variables = spec.variables()
    for name, variable in variables.items():
        if f"{name}_scale" in variables and variable.dtype == "int8":
            values_NM = exact[name]
            scale_N = _LARGEST / np.maximum(np.abs(values_NM).max(axis=1), np.finfo(np.float32).tiny * _LARGEST)
            variable.numpy()[...] = np.rint(values_NM * scale_N[:, None])
            variables[f"{name}_scale"].numpy()[...] = scale_N


def _fill_stack(
    spec: Any, embeddings: Any, stack: TransformerEncoder | TransformerDecoder, embedding: TokenEmbedding, settings: ModelSection
) -> None:
    """Sets the weights of an encoder or a decoder."""
    embeddings.weight = _array(embedding.table.weight)
    if hasattr(spec, "position_encodings") and settings.positions not in ("rotary", "relative"):
        learned = stack.positions
        table_TD = (
            learned.table.weight if isinstance(learned, LearnedPositions) else sinusoidal_positions(MAX_SINUSOIDS, settings.width)
        )
        spec.position_encodings.encodings = _array(table_TD)
    if isinstance(stack.norm, nn.LayerNorm):
        _fill_norm(spec.layer_norm, stack.norm)
    for layer_spec, layer in zip(spec.layer, layers_in_order(stack.layers, stack.depth), strict=True):
        assert isinstance(layer, TransformerEncoderLayer | TransformerDecoderLayer)
        _fill_attention(layer_spec.self_attention, layer.self_attention, layer.self_attention_norm, is_cross=False)
        if isinstance(layer, TransformerDecoderLayer):
            _fill_attention(layer_spec.attention, layer.cross_attention, layer.cross_attention_norm, is_cross=True)
        _fill_feed_forward(layer_spec.ffn, layer.feed_forward, layer.feed_forward_norm)


def _fill_attention(spec: Any, attention: MultiHeadAttention, norm: nn.LayerNorm, is_cross: bool) -> None:
    """Sets the weights of an attention, whose projections of the same inputs CTranslate2 joins."""
    query, key, value = attention.query_projection, attention.key_projection, attention.value_projection
    for joined, linears in zip(spec.linear, ([query], [key, value]) if is_cross else ([query, key, value],), strict=False):
        joined.weight = np.concatenate([_array(linear.weight) for linear in linears])
        joined.bias = np.concatenate([_array(linear.bias) for linear in linears])
    _fill_linear(spec.linear[-1], attention.output_projection)
    if isinstance(attention, LearnedDistances):
        spec.relative_position_keys = _array(attention.distance_keys_RK)
        spec.relative_position_values = _array(attention.distance_values_RK)
    _fill_norm(spec.layer_norm, norm)


def _fill_feed_forward(spec: Any, feed_forward: FeedForward, norm: nn.LayerNorm) -> None:
    _fill_linear(spec.linear_0, feed_forward.inner)
    _fill_linear(spec.linear_1, feed_forward.outer)
    _fill_norm(spec.layer_norm, norm)


def _fill_linear(spec: Any, linear: nn.Linear) -> None:
    spec.weight, spec.bias = _array(linear.weight), _array(linear.bias)


def _fill_norm(spec: Any, norm: nn.LayerNorm) -> None:
    spec.gamma, spec.beta = _array(norm.weight), _array(norm.bias)


def _array(tensor: Tensor) -> NDArray[np.float32]:
    """The values of a tensor, at float32."""
    return tensor.detach().float().cpu().numpy().copy()
