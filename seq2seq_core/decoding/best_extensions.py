"""The best extensions of a sentence's hypotheses, among all symbols of the vocabulary.

Shapes: B sentences, K hypotheses of each, N rows (B times K), V vocabulary, C best extensions, M best blocks, X any number.
"""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 64
"""Symbols that are compared as one at first."""


def best_extensions(log_probabilities_NV: Tensor, totals_BK: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` best extensions of each sentence (fewer if there are fewer), best first: totals_BC, and places_BC in K times V.

    The best extensions are in the best blocks of symbols: PyTorch's ``topk`` is slow on a CPU, the maximum of a block is not.

    Args:
        log_probabilities_NV: of each hypothesis's next symbol.
        totals_BK: the log-probability of each hypothesis.
        count: C.
    """
    (num_sentences, beam_size), vocabulary_size = totals_BK.shape, log_probabilities_NV.shape[1]
    num_blocks = vocabulary_size // BLOCK
    if num_blocks * beam_size <= count:
        totals_BX = (totals_BK.reshape(-1, 1) + log_probabilities_NV).view(num_sentences, -1)
        totals_BC, places_BC = totals_BX.topk(min(count, totals_BX.shape[1]), dim=1)
        return totals_BC, places_BC
    places_BX, before_BX = _places_to_compare(log_probabilities_NV, totals_BK, count)
    totals_BX = log_probabilities_NV.view(num_sentences, -1).gather(1, places_BX) + before_BX
    totals_BC, chosen_BC = totals_BX.topk(count, dim=1)
    return totals_BC, places_BX.gather(1, chosen_BC)


def likeliest(log_probabilities_NV: Tensor) -> Tensor:
    """The likeliest symbol of each row, (N,) int64; the first of several that are equal.

    Args:
        log_probabilities_NV: of each row's next symbol.
    """
    num_blocks = log_probabilities_NV.shape[1] // BLOCK
    if num_blocks < 2:
        return log_probabilities_NV.argmax(dim=1)
    blocks_NXY = log_probabilities_NV[:, : num_blocks * BLOCK].view(-1, num_blocks, BLOCK)
    block_N11 = blocks_NXY.amax(dim=2).argmax(dim=1).view(-1, 1, 1)
    values_NY = blocks_NXY.gather(1, block_N11.expand(-1, 1, BLOCK)).squeeze(1)
    symbols_N = block_N11.view(-1) * BLOCK + values_NY.argmax(dim=1)
    rest_NX = log_probabilities_NV[:, num_blocks * BLOCK :]
    if not rest_NX.shape[1]:
        return symbols_N
    is_in_rest_N = rest_NX.amax(dim=1) > values_NY.amax(dim=1)
    return torch.where(is_in_rest_N, num_blocks * BLOCK + rest_NX.argmax(dim=1), symbols_N)


def _places_to_compare(log_probabilities_NV: Tensor, totals_BK: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The symbols of the best ``count`` blocks of each sentence, and those behind each hypothesis's last block.

    Returns:
        places_BX, and before_BX: the log-probability of the hypothesis of each.
    """
    (num_sentences, beam_size), vocabulary_size = totals_BK.shape, log_probabilities_NV.shape[1]
    num_blocks, device = vocabulary_size // BLOCK, totals_BK.device
    blocks_NXY = log_probabilities_NV[:, : num_blocks * BLOCK].view(-1, num_blocks, BLOCK)
    best_BKX: Tensor = blocks_NXY.amax(dim=2).view(num_sentences, beam_size, num_blocks) + totals_BK.unsqueeze(2)
    blocks_BM = best_BKX.flatten(1).topk(count, dim=1).indices
    owners_BM = blocks_BM // num_blocks
    starts_BM = owners_BM * vocabulary_size + blocks_BM % num_blocks * BLOCK
    places_BX = (starts_BM.unsqueeze(2) + torch.arange(BLOCK, device=device)).flatten(1)
    before_BX = totals_BK.gather(1, owners_BM).repeat_interleave(BLOCK, dim=1)
    rest_X = torch.arange(num_blocks * BLOCK, vocabulary_size, device=device)
    if not len(rest_X):
        return places_BX, before_BX
    rest_KX = torch.arange(beam_size, device=device).unsqueeze(1) * vocabulary_size + rest_X
    places_BX = torch.cat([places_BX, rest_KX.flatten().expand(num_sentences, -1)], dim=1)
    return places_BX, torch.cat([before_BX, totals_BK.repeat_interleave(len(rest_X), dim=1)], dim=1)
