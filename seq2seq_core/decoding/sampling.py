"""Random sampling: each symbol is drawn from the model's distribution, as it is, sharpened by a temperature, or cut off.

A hypothesis's score and log-probability are the model's own, without temperature and cut-off: two samples are compared by the
model's probability, not by how they were drawn.

Every sample has a stream of random numbers of its own, made from the seed, its number among the samples of its source, and the
source itself. So a source gets the same samples alone, in any batch and in any order; a repeated source gets the same samples
again.

Shapes: B batch, N rows still being drawn, V vocabulary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seq2seq_core.batching.batch import Source
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.constraints import NEVER, Constraints, make_constraints
from seq2seq_core.decoding.hypothesis import Hypothesis, StepModel
from seq2seq_core.decoding.phrases.phrase_rules import RowsOfPhrases
from seq2seq_core.decoding.single_path import extend_to_the_end
from seq2seq_core.decoding.stopping import Stop


def decode(
    model: StepModel,
    source: Source,
    options: DecodingOptions,
    keep_attention: bool = False,
    prefixes: Sequence[Sequence[int]] | None = None,
    stop: Stop | None = None,
    phrases: RowsOfPhrases | None = None,
) -> list[list[Hypothesis]]:
    """``num_samples`` hypotheses for each source, in the order drawn; the same one may come more than once.

    Args:
        model: in evaluation mode.
        source: on the model's device.
        options: ``beam_size`` is not used.
        keep_attention: whether hypotheses carry their attention.
        prefixes: for each source, the ids that its hypotheses must begin with.
        stop: asked before every step; ends the search.
        phrases: for each source, the phrases that no hypothesis may contain.
    """
    constraints = make_constraints(options, source.lengths_B.tolist(), prefixes, phrases, stop)
    draw = _Draw(source, constraints, options)
    return extend_to_the_end(model, source, constraints, draw, options.length_penalty, options.num_samples, keep_attention, stop)


class _Draw:
    """Draws the next symbol of each row.

    Attributes:
        uniforms: for each row, a number from 0 to below 1 for each symbol that it may get, eos included.
    """

    def __init__(self, source: Source, constraints: Constraints, options: DecodingOptions) -> None:
        self.options = options
        self.uniforms: list[NDArray[np.float64]] = []
        for content, limit in zip(_contents(source), constraints.limits, strict=True):
            self.uniforms += [uniforms(options.seed, number, content, limit + 1) for number in range(options.num_samples)]

    def __call__(self, log_probabilities_NV: Tensor, rows: Sequence[int], length: int) -> Tensor:
        """The symbols drawn, (N,) int64.

        Args:
            log_probabilities_NV: minus infinity for forbidden symbols.
            rows: the numbers of the remaining rows.
            length: symbols in each row so far.
        """
        numbers_N = torch.tensor([self.uniforms[row][length] for row in rows], dtype=torch.float64)
        weights_NV = sampling_weights(log_probabilities_NV, self.options.temperature, self.options.top_k, self.options.top_p)
        return draw_symbols(weights_NV, numbers_N.to(weights_NV.device))


def sampling_weights(log_probabilities_NV: Tensor, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> Tensor:
    """The unnormalised probability of each symbol, (N, V) float64; 0 for symbols that are cut off.

    The temperature comes first, then the ``top_k``, then of these the nucleus: the fewest likeliest symbols that together reach the
    share ``top_p`` (Holtzman 2020, equations 2 and 3). Ties with the last symbol kept are kept too, so that the order of sorting
    does not matter.

    Args:
        log_probabilities_NV: minus infinity for forbidden symbols; each row allows at least one symbol.
        temperature: divisor of the log-probabilities, above 0 (Holtzman 2020, equation 4).
        top_k: the number of likeliest symbols kept (Fan 2018); 0: all.
        top_p: the nucleus's share, above 0; 1: all.
    """
    scaled_NV = log_probabilities_NV.double()
    scaled_NV = (scaled_NV - scaled_NV.max(dim=1, keepdim=True).values) / temperature
    if 0 < top_k < scaled_NV.shape[1]:
        last_kept_N1 = scaled_NV.topk(top_k, dim=1).values[:, -1:]
        scaled_NV = scaled_NV.masked_fill(scaled_NV < last_kept_N1, NEVER)
    weights_NV = scaled_NV.exp()
    if top_p < 1.0:
        falling_NV = weights_NV.sort(dim=1, descending=True).values
        share_before_NV = (falling_NV.cumsum(dim=1) - falling_NV) / falling_NV.sum(dim=1, keepdim=True)
        last_kept_N1 = falling_NV.masked_fill(share_before_NV >= top_p, torch.inf).min(dim=1, keepdim=True).values
        weights_NV = weights_NV.masked_fill(weights_NV < last_kept_N1, 0.0)
    return weights_NV


def draw_symbols(weights_NV: Tensor, numbers_N: Tensor) -> Tensor:
    """The symbol at each number of the distribution function (inverse transform sampling), (N,) int64.

    Args:
        weights_NV: float64, not negative, some of each row positive.
        numbers_N: float64 from 0 to below 1.
    """
    sums_NV = weights_NV.cumsum(dim=1)
    # The largest number below 1 times the total is below the total even when rounded: a symbol of weight 0 is never drawn.
    places_N = numbers_N * sums_NV[:, -1]
    return torch.searchsorted(sums_NV, places_N.unsqueeze(1), right=True).squeeze(1)


def uniforms(seed: int, number: int, content: bytes, count: int) -> NDArray[np.float64]:
    """The first random numbers, from 0 to below 1, of one sample's stream.

    Args:
        seed: the option ``seed``.
        number: the sample's number among those of its source, from 0.
        content: the ids or frames of the source, as bytes.
        count: how many numbers; a smaller count gives a prefix.
    """
    digest = hashlib.blake2b(f"{seed}/{number}/".encode() + content, digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "big")).random(count)


def _contents(source: Source) -> list[bytes]:
    """The ids or frames of each source, without padding."""
    values = source.values.cpu().numpy()
    return [row[:length].tobytes() for row, length in zip(values, source.lengths_B.tolist(), strict=True)]
