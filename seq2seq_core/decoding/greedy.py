"""Greedy decoding: the likeliest symbol at each step, for a batch of sentences at once.

Shapes: B batch, N rows still being decoded, S source length, T hypothesis length with its end mark.
"""

from __future__ import annotations

from itertools import count

import torch
from torch import Tensor

from seq2seq_core.batching.batch import Source
from seq2seq_core.decoding.hypothesis import Hypothesis, StepModel, check_evaluation_mode, next_log_probabilities, trim_attention
from seq2seq_core.decoding.length_penalty import length_penalty
from seq2seq_core.decoding.options import DecodingOptions
from seq2seq_core.tokenization.special_tokens import BOS_ID, EOS_ID


@torch.no_grad()
def decode(model: StepModel, source: Source, options: DecodingOptions, keep_attention: bool = False) -> list[list[Hypothesis]]:
    """One hypothesis for each source, in order; a finished sentence leaves the batch.

    Args:
        model: in evaluation mode.
        source: on the model's device.
        options: ``beam_size`` and ``num_hypotheses`` are not used.
        keep_attention: whether hypotheses carry their attention.
    """
    check_evaluation_mode(model)
    device, num_rows = source.lengths_B.device, source.num_rows
    limits_N = torch.tensor([options.length_limit(length) for length in source.lengths_B.tolist()], device=device)
    state = model.initial_state(model.encode(source))
    previous_N = torch.full((num_rows,), BOS_ID, dtype=torch.int64, device=device)
    sentences_N = torch.arange(num_rows, device=device)
    totals_B = torch.zeros(num_rows, device=device)
    ids: list[list[int]] = [[] for _ in range(num_rows)]
    attention: list[list[Tensor]] = [[] for _ in range(num_rows)]
    for length in count():
        step = model.step(previous_N, state)
        best_N, previous_N = next_log_probabilities(step.logits_NV, limits_N <= length).max(dim=-1)
        totals_B[sentences_N] += best_N
        for row, (sentence, symbol) in enumerate(zip(sentences_N.tolist(), previous_N.tolist(), strict=True)):
            ids[sentence].append(symbol)
            if keep_attention:
                attention[sentence].append(step.attention_NS[row])
        live_N = (previous_N != EOS_ID).nonzero().squeeze(1)
        if not len(live_N):
            break
        state = step.state
        if len(live_N) < len(previous_N):
            state = state.select(live_N)
            previous_N, sentences_N, limits_N = previous_N[live_N], sentences_N[live_N], limits_N[live_N]
    return [
        [
            Hypothesis(
                ids=tuple(ids[row][:-1]),
                score=total / length_penalty(len(ids[row]), options.length_penalty),
                log_probability=total,
                attention_TS=trim_attention(torch.stack(attention[row]), source, row) if keep_attention else None,
            )
        ]
        for row, total in enumerate(totals_B.tolist())
    ]
