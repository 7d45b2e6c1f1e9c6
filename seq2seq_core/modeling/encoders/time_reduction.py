"""Halving of the time axis inside an encoder, for long sources (Chan 2016, section 3.1).

Shapes: B batch, S source length, R reduced length (S / 2, rounded up), D width.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class TimeReduction(nn.Module):
    """Joins each pair of neighbouring vectors: W [x at 2 i; x at 2 i + 1] + b  (Chan 2016, equation 5).

    The second half is zero behind a source of odd length, whatever the batch is padded to.

    Args:
        width: D.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.projection = nn.Linear(2 * width, width)
        nn.init.xavier_uniform_(self.projection.weight)
        nn.init.zeros_(self.projection.bias)

    def forward(self, states_BSD: Tensor, padding_mask_BS: Tensor) -> tuple[Tensor, Tensor]:
        """The states at half the rate, and their mask.

        Args:
            states_BSD: inputs of the next layer.
            padding_mask_BS: bool, True at padding, which stands behind each source.

        Returns:
            reduced_BRD and mask_BR.
        """
        batch, length, width = states_BSD.shape
        states_BSD = functional.pad(states_BSD.masked_fill(padding_mask_BS.unsqueeze(-1), 0.0), (0, 0, 0, length % 2))
        reduced_BRD: Tensor = self.projection(states_BSD.reshape(batch, -1, 2 * width))
        return reduced_BRD, padding_mask_BS[:, 0::2]


class TimeReductions(nn.Module):
    """The reductions of a stack of layers: one before each of the last ones.

    Args:
        width: D.
        layers: number of layers of the stack.
        reductions: number of halvings; at most ``layers``.
    """

    def __init__(self, width: int, layers: int, reductions: int) -> None:
        super().__init__()
        self.first = layers - reductions
        self.halvings = nn.ModuleList(TimeReduction(width) for _ in range(reductions))

    def forward(self, states_BSD: Tensor, padding_mask_BS: Tensor, layer: int) -> tuple[Tensor, Tensor]:
        """The inputs of a layer: the states and their mask, halved if the layer is one of the last.

        Args:
            states_BSD: outputs of the layer before.
            padding_mask_BS: bool, True at padding.
            layer: its number, from 0.
        """
        if layer < self.first:
            return states_BSD, padding_mask_BS
        halved: tuple[Tensor, Tensor] = self.halvings[layer - self.first](states_BSD, padding_mask_BS)
        return halved
