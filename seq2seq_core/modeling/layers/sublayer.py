"""Connection of a Transformer's sublayer (residual, dropout, norm before or after), and the run of a layer.

Shapes: B batch, T length, D width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from seq2seq_core.modeling.layers.dropout import Dropout


def connect(
    inputs_BTD: Tensor, sublayer: Callable[[Tensor], Tensor], norm: nn.Module, dropout: Dropout, is_pre_norm: bool
) -> Tensor:
    """The outputs: x + sublayer(norm(x))  (Xiong 2020, figure 1b), or norm(x + sublayer(x))  (Vaswani 2017, section 3.1).

    Args:
        inputs_BTD: x.
        sublayer: attention or feed-forward; changes no shape.
        norm: norm over the width D.
        dropout: dropout of the sublayer's output.
        is_pre_norm: whether the first of the two formulas applies.

    Returns:
        outputs_BTD.
    """
    if is_pre_norm:
        return dropout.add_to(inputs_BTD, sublayer(norm(inputs_BTD)))
    normed_BTD: Tensor = norm(dropout.add_to(inputs_BTD, sublayer(inputs_BTD)))
    return normed_BTD


def layers_in_order(layers: nn.ModuleList, depth: int) -> list[nn.Module]:
    """The layers as they are run: each once, or a single one at every depth.

    Args:
        layers: those with weights of their own.
        depth: how many are run.
    """
    return list(layers) * (depth // len(layers))


def run_layer(layer: nn.Module, recomputes: bool, *inputs: Any) -> Any:
    """The outputs of a layer.

    Args:
        layer: one layer of a stack.
        recomputes: whether activations are recomputed for the gradient instead of stored, with the same dropout.
        inputs: arguments of the layer.
    """
    if recomputes and torch.is_grad_enabled():
        return checkpoint(layer, *inputs, use_reentrant=False)
    return layer(*inputs)
