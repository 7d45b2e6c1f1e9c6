"""The choice of an engine: at the export by the settings and the model, afterwards by what the bundle holds."""

from __future__ import annotations

import logging

import torch

from seq2seq_core.bundle.bundle import Bundle
from seq2seq_core.bundle.config_file import BundleConfig, StoredEngine
from seq2seq_core.bundle.served_bundle import ConvertedModel
from seq2seq_core.config.decoding_options import QUANTIZED_TYPES
from seq2seq_core.config.evaluate import EvaluateSection
from seq2seq_core.decoding.engines.ctranslate2_conversion import convert, numbered, serialize
from seq2seq_core.decoding.engines.ctranslate2_engine import CTranslate2Engine
from seq2seq_core.decoding.engines.ctranslate2_limits import why_not_decode, why_not_hold
from seq2seq_core.decoding.engines.engine import Engine
from seq2seq_core.decoding.engines.torch_engine import TorchEngine, share_weights
from seq2seq_core.errors import UserError

logger = logging.getLogger(__name__)


def choose_engine(section: EvaluateSection, config: BundleConfig) -> StoredEngine | None:
    """The engine that a model is exported for; None: PyTorch at float32.

    Args:
        section: names the engine, its compute type and the decoding options.
        config: the configuration of the model.

    Raises:
        UserError: the engine that is named cannot hold the model, or would decode otherwise than the reference.
    """
    if section.engine == "torch":
        return _pytorch(section)
    reason = why_not_hold(config) or why_not_decode(section.decoding, config.target_vocabulary_size)
    if reason is None:
        return StoredEngine(name="ctranslate2", compute_type=section.compute_type)
    if section.engine == "ctranslate2":
        raise UserError(f"evaluate.engine: must be auto or torch here, got ctranslate2, which cannot do it: {reason}")
    engine = _pytorch(section)
    found = "float32" if engine is None else engine.compute_type
    level = logging.INFO if section.compute_type == found else logging.WARNING
    logger.log(level, "PyTorch decodes, at %s; CTranslate2 cannot do it: %s", found, reason)
    return engine


def _pytorch(section: EvaluateSection) -> StoredEngine | None:
    """PyTorch at the type that is asked for, if it has it; None: at float32."""
    if section.compute_type not in QUANTIZED_TYPES:
        return None
    return StoredEngine(name="torch", compute_type=section.compute_type)


def convert_bundle(bundle: Bundle, engine: StoredEngine) -> ConvertedModel:
    """The model of a bundle as an engine reads it.

    Args:
        bundle: a loaded bundle.
        engine: from :func:`choose_engine`.

    Raises:
        UserError: the engine's package is missing.
    """
    config = bundle.config
    if not engine.has_file:
        return ConvertedModel(engine, None)
    return ConvertedModel(engine, serialize(convert(bundle.only_model, config.model, numbered(config), engine.compute_type)))


def load_engine(bundle: Bundle, reference: TorchEngine) -> Engine:
    """The engine that decodes with a bundle: that of its export.

    On a GPU, weights of float32 are decoded with by PyTorch, which uses it. Other weights are decoded with on the CPU.

    Args:
        bundle: a loaded bundle.
        reference: decodes with the bundle's own weights.

    Raises:
        BundleError: the file of the engine is not the one that the bundle names, or cannot be read.
        UserError: the engine's package is missing.
    """
    engine, file = bundle.engine, bundle.engine_file
    if engine is None or (bundle.device.type != "cpu" and engine.compute_type == "float32"):
        return reference
    if file is None:
        return TorchEngine(share_weights(bundle.model), torch.device("cpu"), is_quantized=True)
    return CTranslate2Engine(file, bundle.config, reference)
