"""Floating-point operations of the matrix products of an update, by formula; additions, norms and look-ups are not counted.

A product of (m, k) by (k, n) has m k n multiply-adds, each two operations. The backward pass has two products of the same size for
each of the forward pass (one for the inputs, one for the weights), so that a step costs 3 x 2 x the multiply-adds of the forward
pass. Padding counts: it is computed too.

Per row of a batch, with S source and T target positions, D the width, F the inner width, V the target vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

from seq2seq_core.config.model import Architecture, ModelSection
from seq2seq_core.config.train import Phase
from seq2seq_core.modeling.alignments import load_alignment
from seq2seq_core.modeling.attention import load_attention
from seq2seq_core.modeling.front_ends.conv_stack import conv_multiply_adds
from seq2seq_core.modeling.front_ends.frame_layout import FrameLayout

GATES: dict[Architecture, int] = {"rnn": 1, "gru": 3, "lstm": 4}
"""Matrices of a recurrent cell for its input, and as many for its state."""
OPERATIONS_FORWARD, OPERATIONS_STEP = 2, 6
"""Operations per multiply-add of the forward pass: forward alone, and with the backward pass."""


@dataclass(frozen=True)
class ModelFlops:
    """Operation counts of one model.

    Attributes:
        settings: its architecture.
        target_vocabulary_size: V.
        frame_width: features of a frame; 0 for sources of ids.
        frame_layout: what they are; None: a column each.
    """

    settings: ModelSection
    target_vocabulary_size: int
    frame_width: int = 0
    frame_layout: FrameLayout | None = None

    def step(self, rows: int, source: int, target: int) -> int:
        """Operations of the forward and backward pass of a batch under teacher forcing.

        Args:
            rows: rows of the batch.
            source: source positions of each row, padding included.
            target: target positions of each row, padding included.
        """
        return OPERATIONS_STEP * rows * self.multiply_adds(source, target)

    def multiply_adds(self, source: int, target: int) -> int:
        """Multiply-adds of a row's forward pass under teacher forcing.

        Args:
            source: source positions, padding included.
            target: target positions, padding included.
        """
        settings, embedded = self.settings, self.frame_width * self.settings.width * source
        if settings.front_end is not None and self.frame_width:
            layout = self.frame_layout or FrameLayout(self.frame_width)
            embedded = conv_multiply_adds(settings.front_end, layout, settings.width, source)
            source = layout.steps(source, settings.front_end.halvings)
        encoded, memory = self._encoder(source)
        decoder = self._transformer_decoder if settings.decoder_architecture == "transformer" else self._recurrent_decoder
        output = settings.width * self.target_vocabulary_size * target if settings.alignment == "soft" else 0
        scaling = memory * settings.width**2 if settings.time_scaling == "gate" else 0  # of the content; positions cost little
        gate = 2 * settings.width * target if settings.pointer_generator else 0
        return embedded + encoded + scaling + decoder(memory, target) + output + gate

    def _encoder(self, source: int) -> tuple[int, int]:
        """Multiply-adds of the encoder's layers, and the number of positions after them."""
        settings, total = self.settings, 0
        for number in range(settings.encoder_layers):
            if number >= settings.encoder_layers - settings.time_reduction:
                source = -(-source // 2)
                total += 2 * settings.width**2 * source
            if settings.encoder_architecture == "transformer":
                total += self._self_attention(source) + self._feed_forward(source)
            elif settings.bidirectional:
                total += 2 * self._cell(settings.encoder_architecture, settings.width, settings.width // 2, source)
            else:
                total += self._cell(settings.encoder_architecture, settings.width, settings.width, source)
        return total, source

    def _transformer_decoder(self, source: int, target: int) -> int:
        """Multiply-adds of the layers of a Transformer decoder."""
        own = self._self_attention(target)
        cross = self._attention(target, source) + self._projections(target, source)
        return self.settings.decoder_layers * (own + cross + self._feed_forward(target))

    def _recurrent_decoder(self, source: int, target: int) -> int:
        """Multiply-adds of a recurrent decoder: bridge, cells, attention and the attentional state."""
        settings, width = self.settings, self.settings.width
        cell, layers = settings.decoder_architecture, settings.decoder_layers
        total = 0 if settings.bridge == "zero" else (2 if cell == "lstm" else 1) * layers * width**2
        total += self._cell(cell, (2 if settings.input_feeding else 1) * width, width, target)
        total += (layers - 1) * self._cell(cell, width, width, target)
        if (alignment := load_alignment(settings.alignment)) is not None:
            return total + alignment.multiply_adds(settings, source, target, self.target_vocabulary_size)
        attention = load_attention(settings.attention)
        if attention is None:
            return total
        total += 2 * width**2 * target + self._attention(target, source)
        return total + attention.multiply_adds(settings, source, target)

    def _cell(self, cell: Architecture, input_width: int, width: int, length: int) -> int:
        """Multiply-adds of a recurrent layer in one direction."""
        return GATES[cell] * (input_width + width) * width * length

    def _self_attention(self, length: int) -> int:
        """Multiply-adds of a Transformer's self-attention; sinusoids of distances are projected once a batch and not counted."""
        settings, total = self.settings, self._attention(length, length) + self._projections(length, length)
        if settings.positions == "relative":
            return total + 2 * settings.width * (2 * settings.relative_distance + 1) * length  # with keys and with values
        if settings.positions == "relative_sinusoidal":
            return total + settings.width * (2 * length - 1) * length
        return total

    def _attention(self, queries: int, keys: int) -> int:
        """Multiply-adds of the scores of all queries with all keys (masked ones too), and of the weighted sums."""
        return 2 * self.settings.width * queries * keys

    def _projections(self, queries: int, keys: int) -> int:
        """Multiply-adds of the projections of queries, outputs, keys and values in multi-head attention."""
        return 2 * self.settings.width**2 * (queries + keys)

    def _feed_forward(self, length: int) -> int:
        """Multiply-adds of the two layers of a Transformer's feed-forward sublayer."""
        return 2 * self.settings.width * self.settings.feedforward_width * length


def steps_a_batch(phase: Phase) -> float | None:
    """The cost of a batch, in plain steps of teacher forcing; None if the formulas do not give it.

    Args:
        phase: R-Drop costs two steps, scheduled sampling one more forward pass; objectives that decode have unknown lengths.
    """
    if phase.objective not in ("likelihood", "denoising"):
        return None
    sampled = OPERATIONS_FORWARD / OPERATIONS_STEP if phase.scheduled_sampling.decay != "none" else 0.0
    return (2.0 if phase.r_drop_weight else 1.0) + sampled
