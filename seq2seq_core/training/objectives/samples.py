"""Samples of the model, and their probabilities with a gradient.

A sample ends by itself or at its length limit. The end at the limit is not the model's choice: its probability is 1, like that of
the tags that a sample begins with. PAD and BOS are never drawn: the model's distribution is over the other symbols, in drawing and
in scoring alike.

Shapes: B batch, K samples of a source, N rows (B times K, or fewer), T target length, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq_core.batching.batch import Source, collate_pairs
from seq2seq_core.decoding.constraints import NEVER, Constraints
from seq2seq_core.decoding.single_path import extend_to_the_end
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.tokenization.special_tokens import BOS_ID, EOS_ID, PAD_ID


class Sample(NamedTuple):
    """A sample from the model."""

    ids: tuple[int, ...]
    """The symbols, without eos."""
    is_cut: bool
    """Whether the length limit ended it."""
    num_forced: int = 0
    """Number of given symbols at its beginning: the target's tags."""


@dataclass(frozen=True)
class ScoredSamples:
    """The probabilities of samples under the model.

    Attributes:
        log_probabilities_N: of each whole sample, in nats, with a gradient.
        entropy: of the model's distribution over the next symbol, in nats, summed over the samples' symbols.
        num_symbols: their number, end marks included where they are the model's choice.
    """

    log_probabilities_N: Tensor
    entropy: float
    num_symbols: int


def draw_samples(
    model: Seq2Seq,
    source: Source,
    limits: Sequence[int],
    num_samples: int,
    temperature: float,
    seed: int,
    prefixes: Sequence[Sequence[int]] = (),
    unsayable_ids: Sequence[int] = (),
    observe: Callable[[Tensor], None] | None = None,
) -> list[list[Sample]]:
    """Samples of each source, drawn symbol by symbol from softmax(logits / temperature).

    Args:
        model: in evaluation mode.
        source: B sources on the model's device.
        limits: maximum symbols of a sample, for each source; at least 1.
        num_samples: K.
        temperature: 0 takes the likeliest symbol each time.
        seed: with the model and the sources it determines the samples.
        prefixes: for each source, the ids that its samples begin with; empty: no prefixes.
        unsayable_ids: symbols that are never drawn, besides PAD and BOS.
        observe: called at each step with log_probabilities_NV of the samples that have more than one possible next symbol; minus
            infinity for impossible symbols. None: not called.
    """
    chance = torch.Generator(source.lengths_B.device).manual_seed(seed)
    forced = tuple(map(tuple, prefixes))
    constraints = Constraints(tuple(limits), forced, banned_ids=tuple(unsayable_ids))

    def draw(log_probabilities_NV: Tensor, rows: Sequence[int], length: int) -> Tensor:
        if observe is not None:
            observe(log_probabilities_NV[(log_probabilities_NV > NEVER).sum(dim=1) > 1])
        if not temperature:
            return log_probabilities_NV.argmax(dim=-1)
        return torch.multinomial(torch.softmax(log_probabilities_NV / temperature, dim=-1), 1, generator=chance).squeeze(1)

    hypotheses = extend_to_the_end(model, source, constraints, draw, 0.0, num_samples)
    num_forced = [len(prefix) for prefix in forced] or [0] * len(limits)
    return [
        [Sample(one.ids, len(one.ids) == limit, number) for one in own]
        for own, limit, number in zip(hypotheses, limits, num_forced, strict=True)
    ]


def score_samples(model: Seq2Seq, source: Source, samples: Sequence[Sequence[Sample]]) -> ScoredSamples:
    """The log-probabilities of samples by teacher forcing.

    Args:
        model: with or without dropout, as its mode says.
        source: B sources on the model's device.
        samples: of each source, one or more.
    """
    device = source.lengths_B.device
    flat = [sample for own in samples for sample in own]
    owners_N = torch.tensor([row for row, own in enumerate(samples) for _ in own], device=device)
    targets = [[*sample.ids, EOS_ID] for sample in flat]
    batch = collate_pairs([[EOS_ID]] * len(flat), targets, range(len(flat))).to(device)
    repeated = Source(source.values.index_select(0, owners_N), source.lengths_B.index_select(0, owners_N))
    log_probs_NTV = torch.log_softmax(_without_unsayable(model(repeated, batch.target_in_BT)), dim=-1)
    num_chosen_N = batch.target_lengths_B - torch.tensor([sample.is_cut for sample in flat], device=device).long()
    num_forced_N = torch.tensor([sample.num_forced for sample in flat], device=device)
    places_T = torch.arange(log_probs_NTV.shape[1], device=device)
    is_chosen_NT = (places_T >= num_forced_N.unsqueeze(1)) & (places_T < num_chosen_N.unsqueeze(1))
    taken_NT = log_probs_NTV.gather(-1, batch.target_out_BT.unsqueeze(-1)).squeeze(-1)
    entropy_NT = torch.special.entr(log_probs_NTV.detach().exp()).sum(dim=-1)
    return ScoredSamples(
        torch.where(is_chosen_NT, taken_NT, 0.0).sum(dim=-1),
        float(torch.where(is_chosen_NT, entropy_NT, 0.0).sum()),
        int((num_chosen_N - num_forced_N).sum()),
    )


def _without_unsayable(logits: Tensor) -> Tensor:
    """Logits in float32 with minus infinity for PAD and BOS."""
    is_unsayable_V = torch.zeros(logits.shape[-1], dtype=torch.bool, device=logits.device)
    is_unsayable_V[[PAD_ID, BOS_ID]] = True
    return logits.float().masked_fill(is_unsayable_V, NEVER)
