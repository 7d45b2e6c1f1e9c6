"""Samples of the model, and their probabilities with a gradient.

A sample ends by itself or is ended at its length limit. What ends it there is no choice of the model: its probability is 1, and so
is that of the tags that it is given at the beginning. PAD and BOS are never said, so that the model's distribution is over the
other symbols, in drawing and in scoring alike.

Shapes: B batch, K samples of a source, N rows (B times K, or fewer), T target length, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq_core.batching.batch import Source, collate_pairs
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.tokenization.special_tokens import BOS_ID, EOS_ID, PAD_ID


class Sample(NamedTuple):
    """What the model said."""

    ids: tuple[int, ...]
    """The symbols, without eos."""
    is_cut: bool
    """Whether it was ended by the limit of its length."""
    num_forced: int = 0
    """Symbols at the beginning that it was given: the target's tags."""


@dataclass(frozen=True)
class ScoredSamples:
    """What the model thinks of samples.

    Attributes:
        log_probabilities_N: of each whole sample, in nats, with a gradient.
        entropy: of the model's distribution over the next symbol, in nats, summed over the samples' symbols.
        num_symbols: their number, end marks included where they are the model's choice.
    """

    log_probabilities_N: Tensor
    entropy: float
    num_symbols: int


@torch.no_grad()
def draw_samples(
    model: Seq2Seq,
    source: Source,
    limits: Sequence[int],
    num_samples: int,
    temperature: float,
    seed: int,
    prefixes: Sequence[Sequence[int]] = (),
) -> list[list[Sample]]:
    """Samples of each source, drawn symbol by symbol from softmax(logits / temperature).

    Args:
        model: in evaluation mode.
        source: B sources on the model's device.
        limits: most symbols of a sample, for each source; at least 1.
        num_samples: K.
        temperature: 0 takes the likeliest symbol each time.
        seed: with the model and the sources, all that the samples depend on.
        prefixes: for each source, what its samples begin with; none: nothing.
    """
    assert not model.training
    device = source.lengths_B.device
    chance = torch.Generator(device).manual_seed(seed)
    ids: list[list[int]] = [[] for _ in range(source.num_rows * num_samples)]
    is_cut = [False] * len(ids)
    state = model.initial_state(model.encode(source), num_samples)
    rows = list(range(len(ids)))
    previous_N = torch.full((len(ids),), BOS_ID, dtype=torch.int64, device=device)
    for length in count():
        step = model.step(previous_N, state)
        drawn = _draw(step.logits_NV, temperature, chance).tolist()
        live = []
        for place, (row, free) in enumerate(zip(rows, drawn, strict=True)):
            forced = prefixes[row // num_samples] if prefixes else ()
            symbol = forced[length] if length < len(forced) else free
            is_cut[row] = length == limits[row // num_samples]
            if symbol != EOS_ID and not is_cut[row]:
                ids[row].append(symbol)
                live.append(place)
        if not live:
            break
        rows = [rows[place] for place in live]
        live_N = torch.tensor(live, device=device)
        state = step.state if len(live) == len(drawn) else step.state.select(live_N)
        previous_N = torch.tensor([ids[row][-1] for row in rows], device=device)
    num_forced = [len(prefixes[row // num_samples]) if prefixes else 0 for row in range(len(ids))]
    samples = [Sample(tuple(symbols), cut, forced) for symbols, cut, forced in zip(ids, is_cut, num_forced, strict=True)]
    return [samples[first : first + num_samples] for first in range(0, len(samples), num_samples)]


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


def _draw(logits_NV: Tensor, temperature: float, chance: torch.Generator) -> Tensor:
    """A symbol for each row; int64."""
    logits_NV = _without_unsayable(logits_NV)
    if not temperature:
        return logits_NV.argmax(dim=-1)
    return torch.multinomial(torch.softmax(logits_NV / temperature, dim=-1), 1, generator=chance).squeeze(1)


def _without_unsayable(logits: Tensor) -> Tensor:
    """Logits in float32 with minus infinity for PAD and BOS."""
    is_unsayable_V = torch.zeros(logits.shape[-1], dtype=torch.bool, device=logits.device)
    is_unsayable_V[[PAD_ID, BOS_ID]] = True
    return logits.float().masked_fill(is_unsayable_V, float("-inf"))
