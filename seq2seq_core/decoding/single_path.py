"""Decoding without a beam: every row is extended by one chosen symbol at a time, and leaves the batch when it has ended.

Shapes: B batch, N rows still being decoded, S source length, T hypothesis length so far (bos included), V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from seq2seq_core.batching.batch import Source
from seq2seq_core.decoding.constraints import Constraints
from seq2seq_core.decoding.hypothesis import Hypothesis, StepModel, append_attention, check_evaluation_mode, trim_attention
from seq2seq_core.decoding.length_penalty import length_penalty
from seq2seq_core.tokenization.special_tokens import BOS_ID, EOS_ID

Choice = Callable[[Tensor, Sequence[int], int], Tensor]
"""Chooses the next symbols, (N,) int64. Arguments: log_probabilities_NV, minus infinity for forbidden symbols; the original numbers
of the remaining rows, those of one sentence adjacent; the number of symbols in each row so far."""


@torch.no_grad()
def extend_to_the_end(
    model: StepModel,
    source: Source,
    constraints: Constraints,
    choose: Choice,
    length_exponent: float,
    num_hypotheses: int = 1,
    keep_attention: bool = False,
) -> list[list[Hypothesis]]:
    """The hypotheses of each source, in order.

    Args:
        model: in evaluation mode.
        source: on the model's device.
        constraints: rules for the next symbols.
        choose: chooses the next symbols.
        length_exponent: exponent of the length penalty in the score.
        num_hypotheses: rows for each source.
        keep_attention: whether hypotheses carry their attention.
    """
    check_evaluation_mode(model)
    state = model.initial_state(model.encode(source), num_hypotheses)
    rows = list(range(source.num_rows * num_hypotheses))
    ids_NT = torch.full((len(rows), 1), BOS_ID, dtype=torch.int64, device=source.lengths_B.device)
    totals_N = torch.zeros(len(rows), device=ids_NT.device)
    attention_NTS: Tensor | None = None
    found: dict[int, Hypothesis] = {}
    while rows:
        step = model.step(ids_NT[:, -1], state)
        attention_NTS = append_attention(attention_NTS, step) if keep_attention else None
        sentences = [row // num_hypotheses for row in rows]
        log_probabilities_NV = constraints.next_log_probabilities(step.logits_NV, ids_NT, sentences)
        symbols_N = choose(log_probabilities_NV, rows, ids_NT.shape[1] - 1)
        chosen_N = log_probabilities_NV.gather(1, symbols_N.unsqueeze(1)).squeeze(1)
        totals_N = totals_N + chosen_N
        ids_NT, state, is_end_N = torch.cat([ids_NT, symbols_N.unsqueeze(1)], dim=1), step.state, symbols_N == EOS_ID
        ended = is_end_N.nonzero().squeeze(1).tolist()
        if not ended:
            continue
        penalty = length_penalty(ids_NT.shape[1] - 1, length_exponent)
        found_now = zip(ended, ids_NT[ended, 1:-1].tolist(), totals_N[ended].tolist(), chosen_N[ended].tolist(), strict=True)
        for place, ids, total, end in found_now:
            weights_TS = None if attention_NTS is None else trim_attention(attention_NTS[place], source, sentences[place])
            is_cut = constraints.is_cut(sentences[place], len(ids), end)
            found[rows[place]] = Hypothesis(tuple(ids), total / penalty, total, weights_TS, is_cut)
        live_N = (~is_end_N).nonzero().squeeze(1)
        rows = [rows[place] for place in live_N.tolist()]
        if rows:
            state, ids_NT, totals_N = state.select(live_N), ids_NT[live_N], totals_N[live_N]
            attention_NTS = None if attention_NTS is None else attention_NTS[live_N]
    return [[found[sentence * num_hypotheses + one] for one in range(num_hypotheses)] for sentence in range(source.num_rows)]
