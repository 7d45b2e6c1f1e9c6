"""Hard alignment between source and target, summed out exactly: what the kinds in ``modeling/alignments`` share.

Each target symbol is written from one source position. The positions are never chosen: the model keeps the distribution of the
present one, given the symbols so far, and every probability is the sum over all positions. So the probability of a target is the
sum over all alignments (the forward algorithm), symbol by symbol, and its logarithm can be trained and searched like that of any
other model.

Shapes: B batch, S source length, T target length (in a search: the hypotheses of a sentence), D width, V target vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq_core.config.model import ModelSection
from seq2seq_core.modeling.memory import Memory

IMPOSSIBLE = -1e9
"""The logarithm of a probability of 0: finite, so that sums of impossible ways have gradients."""


@dataclass(frozen=True)
class AlignmentParts:
    """The log-probabilities that a kind of alignment puts together, for each target position.

    Attributes:
        reach: of the ways between positions, before a symbol is written; its shape is the kind's own.
        stay_BTSV: of writing a symbol from a position and staying there.
        move_BTSV: of writing a symbol from a position and going on to the next one; None where writing never moves.
    """

    reach: Tensor
    stay_BTSV: Tensor
    move_BTSV: Tensor | None = None

    @property
    def written_BTSV(self) -> Tensor:
        """Of writing a symbol from a position."""
        return self.stay_BTSV if self.move_BTSV is None else torch.logaddexp(self.stay_BTSV, self.move_BTSV)


class Alignment(nn.Module):
    """The base of all kinds.

    Attributes:
        impossible: :data:`IMPOSSIBLE`.
    """

    impossible = IMPOSSIBLE

    @classmethod
    def of(cls, settings: ModelSection) -> Self:
        """An alignment with fresh weights.

        Args:
            settings: ``width``, ``dropout``, and what the kind has of its own.
        """
        raise NotImplementedError

    @classmethod
    def multiply_adds(cls, settings: ModelSection, source: int, target: int, vocabulary: int) -> int:
        """Multiply-adds per row of :meth:`parts`.

        Args:
            settings: the sizes.
            source: source positions, S.
            target: target positions, T.
            vocabulary: V.
        """
        raise NotImplementedError

    def parts(self, hidden_BTD: Tensor, memory: Memory, weight_VD: Tensor, bias_V: Tensor) -> AlignmentParts:
        """The parts of each target position.

        Args:
            hidden_BTD: states of the decoder, which have read the target so far and no alignment.
            memory: the encoded sources.
            weight_VD: weights of the output projection.
            bias_V: its bias.
        """
        raise NotImplementedError

    def prior(self, before_BTS: Tensor, reach: Tensor) -> Tensor:
        """The log-probability of reaching each position before the next symbol is written, prior_BTS, symbols so far given.

        Args:
            before_BTS: log-probabilities of the position after the last symbol; any number of leading axes.
            reach: of the parts, with the same leading axes.
        """
        raise NotImplementedError

    def attention(self, prior_BTS: Tensor, reach: Tensor) -> Tensor:
        """The probability of writing the next symbol from each position, whichever it is; by default every position writes.

        Args:
            prior_BTS: from :meth:`prior`.
            reach: of the same parts.
        """
        return prior_BTS.exp()


def start(padding_mask_BS: Tensor) -> Tensor:
    """The log-probabilities before the first symbol, before_BS float32: at the first position.

    Args:
        padding_mask_BS: gives the shape.
    """
    before_BS = torch.full(padding_mask_BS.shape, IMPOSSIBLE, device=padding_mask_BS.device)
    before_BS[:, 0] = 0.0
    return before_BS


def after(prior_BS: Tensor, stay_BS: Tensor, move_BS: Tensor | None) -> Tensor:
    """The log-probabilities of the position after a symbol, which sum to 1 (Bayes' rule).

    Args:
        prior_BS: of reaching each position.
        stay_BS: of writing that symbol there and staying; any number of leading axes.
        move_BS: of writing it and going on; None: never.
    """
    joint_BS = prior_BS + stay_BS
    if move_BS is not None:
        moved_BS = functional.pad((prior_BS + move_BS)[..., :-1], (1, 0), value=IMPOSSIBLE)
        joint_BS = torch.logaddexp(joint_BS, moved_BS)
    return joint_BS - torch.logsumexp(joint_BS, dim=-1, keepdim=True)


def marginal(prior_BTS: Tensor, parts: AlignmentParts) -> Tensor:
    """The log-probability of each next symbol, log_probabilities_BTV float32: the sum over all positions.

    Args:
        prior_BTS: from :meth:`Alignment.prior`.
        parts: of the same target positions.
    """
    return torch.logsumexp(prior_BTS.unsqueeze(-1) + parts.written_BTSV, dim=-2)
