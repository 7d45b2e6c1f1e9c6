"""Settings of how a model is computed: compilation, packing, recomputed activations and arithmetic."""

from __future__ import annotations

import os

import torch

from seq2seq_core.config.runtime import RuntimeSection
from seq2seq_core.modeling.decoders.transformer_decoder import TransformerDecoder
from seq2seq_core.modeling.encoders.transformer_encoder import TransformerEncoder
from seq2seq_core.modeling.seq2seq import Seq2Seq


def set_arithmetic(settings: RuntimeSection) -> None:
    """Applies ``tf32`` and ``deterministic`` to PyTorch, for the whole process; call it before the first use of CUDA.

    Args:
        settings: section ``runtime``.
    """
    torch.set_float32_matmul_precision("high" if settings.tf32 else "highest")
    if settings.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with a fixed workspace
    if settings.deterministic != torch.are_deterministic_algorithms_enabled():  # the call loads PyTorch's compiler, a second's work
        torch.use_deterministic_algorithms(settings.deterministic)


def accelerate(model: Seq2Seq, settings: RuntimeSection) -> None:
    """Applies ``compile``, ``packing`` and ``activation_checkpointing`` to a model; recurrent parts are unchanged.

    Args:
        model: already on its device; changed in place.
        settings: section ``runtime``.
    """
    model.packs = settings.packing and model.is_packable
    for stack in (model.encoder, model.decoder):
        if isinstance(stack, TransformerEncoder | TransformerDecoder):
            stack.recomputes = settings.activation_checkpointing
            if settings.compile:
                for layer in stack.layers:
                    layer.compile(dynamic=True)
