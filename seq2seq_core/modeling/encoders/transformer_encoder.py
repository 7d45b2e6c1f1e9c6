"""Transformer encoder (Vaswani 2017, section 3.1), pre-norm or post-norm.

Shapes: B batch, S source length, D width.
"""

from __future__ import annotations

from torch import Tensor, nn

from seq2seq_core.modeling.encoders.time_reduction import TimeReductions
from seq2seq_core.modeling.layers.dropout import Dropout
from seq2seq_core.modeling.layers.feed_forward import FeedForward
from seq2seq_core.modeling.layers.packing import Packing
from seq2seq_core.modeling.layers.positions import NoPositions, build_positions
from seq2seq_core.modeling.layers.sublayer import connect, layers_in_order, run_layer
from seq2seq_core.modeling.layers.transformer_shape import TransformerShape
from seq2seq_core.modeling.memory import Memory, mean_of_valid


class TransformerEncoderLayer(nn.Module):
    """Self-attention and feed-forward.

    Args:
        shape: sizes and kind of the layer.
    """

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.is_pre_norm = shape.is_pre_norm
        self.self_attention_norm = nn.LayerNorm(shape.width)
        self.self_attention = shape.self_attention()
        self.feed_forward_norm = nn.LayerNorm(shape.width)
        self.feed_forward = FeedForward(shape.width, shape.feedforward_width, shape.dropout)
        self.dropout = Dropout(shape.dropout)

    def forward(self, inputs_BSD: Tensor, padding_mask_BS: Tensor, packing: Packing | None = None) -> Tensor:
        """The layer's outputs_BSD; they have no meaning at padding.

        Args:
            inputs_BSD: inputs of the layer.
            padding_mask_BS: bool, True at padding.
            packing: packing of the inputs, if they are packed.
        """

        def attend(states_BSD: Tensor) -> Tensor:
            return self.self_attention.attend_self(states_BSD, padding_mask_BS, packing=packing)

        inputs_BSD = connect(inputs_BSD, attend, self.self_attention_norm, self.dropout, self.is_pre_norm)
        return connect(inputs_BSD, self.feed_forward, self.feed_forward_norm, self.dropout, self.is_pre_norm)


class TransformerEncoder(nn.Module):
    """Positions, a stack of layers and a final norm.

    Args:
        shape: sizes and kind of each layer.
        layers: number of layers.
        time_reduction: halvings of the time axis, one before each of the last layers (Chan 2016).

    Attributes:
        depth: how many layers are run; fewer have weights of their own where they are shared.
        recomputes: whether training keeps only each layer's inputs and recomputes the rest for the gradient (Chen 2016).
        is_packable: whether :meth:`forward` takes a packing.
    """

    def __init__(self, shape: TransformerShape, layers: int, time_reduction: int = 0) -> None:
        super().__init__()
        positions = build_positions(shape.positions, shape.width, shape.max_positions) if shape.adds_positions else NoPositions()
        self.positions = positions
        self.depth = layers
        self.layers = nn.ModuleList(TransformerEncoderLayer(shape) for _ in range(shape.num_weights(layers)))
        self.norm = shape.final_norm()
        self.reductions = TimeReductions(shape.width, layers, time_reduction)
        self.recomputes = False
        self.is_packable = not time_reduction

    def forward(self, embedded_BSD: Tensor, padding_mask_BS: Tensor, packing: Packing | None = None) -> Memory:
        """The memory; its summary is the mean over valid positions.

        Args:
            embedded_BSD: embedded sources.
            padding_mask_BS: bool, True at padding.
            packing: packing of the sources: layers then skip padding; not with a halved time axis.
        """
        states_BSD = self.positions(embedded_BSD)
        if packing is not None:
            states_BSD = packing.pack(states_BSD)
        for number, layer in enumerate(layers_in_order(self.layers, self.depth)):
            states_BSD, padding_mask_BS = self.reductions(states_BSD, padding_mask_BS, number)
            states_BSD = run_layer(layer, self.recomputes, states_BSD, padding_mask_BS, packing)
        states_BSD = self.norm(states_BSD)
        if packing is not None:
            values_BSD = packing.unpack(states_BSD)
        else:
            values_BSD = states_BSD.masked_fill(padding_mask_BS.unsqueeze(-1), 0.0)
        return Memory(values_BSD, padding_mask_BS, mean_of_valid(values_BSD, padding_mask_BS))
