"""Decoding without a beam: each hypothesis gets one chosen symbol at a time, until it ends.

Shapes: N hypotheses still being decoded, R rows of the model's state, S source length, T hypothesis length so far (bos included), V
vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from seq2seq_core.batching.batch import Source
from seq2seq_core.decoding.constraints import NEVER, Constraints
from seq2seq_core.decoding.hypothesis import (
    Hypothesis,
    StepModel,
    append_attention,
    check_evaluation_mode,
    count_steps,
    length_penalty,
)
from seq2seq_core.decoding.row_layout import RowLayout, regroup
from seq2seq_core.decoding.stopping import Stop, check_stop
from seq2seq_core.errors import NonFiniteOutput
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
    stop: Stop | None = None,
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
        stop: asked before every step; ends the search.

    Raises:
        DecodingStopped: ``stop`` said so.
        NonFiniteOutput: the model's output is no distribution.
    """
    check_evaluation_mode(model)
    check_stop(stop)
    paths = _Paths(model, source, num_hypotheses, keep_attention)
    found: dict[int, Hypothesis] = {}
    while paths.rows:
        check_stop(stop)
        logits_NV, sentences = paths.step(), paths.sentences
        log_probabilities_NV = constraints.next_log_probabilities(logits_NV, paths.ids_NT, sentences)
        if bool((has_nothing_N := log_probabilities_NV.amax(dim=1) == NEVER).any()):  # what is allowed has probability 0
            raise NonFiniteOutput(sentences[int(has_nothing_N.int().argmax())])
        symbols_N = choose(log_probabilities_NV, paths.rows, paths.ids_NT.shape[1] - 1)
        chosen_N = log_probabilities_NV.gather(1, symbols_N.unsqueeze(1)).squeeze(1)
        paths.extend(symbols_N, chosen_N)
        ended = (symbols_N == EOS_ID).nonzero().squeeze(1).tolist()
        penalty = length_penalty(paths.ids_NT.shape[1] - 1, length_exponent)
        found_now = zip(
            ended, paths.ids_NT[ended, 1:-1].tolist(), paths.totals_N[ended].tolist(), chosen_N[ended].tolist(), strict=True
        )  # fmt: skip
        for place, ids, total, end in found_now:
            is_cut = constraints.is_cut(sentences[place], len(ids), end)
            found[paths.rows[place]] = Hypothesis(tuple(ids), total / penalty, total, paths.attention(place), is_cut)
        paths.go_on(ended)
    return [[found[sentence * num_hypotheses + one] for one in range(num_hypotheses)] for sentence in range(source.num_rows)]


class _Paths:
    """The hypotheses that have not ended, and their rows in the model's state.

    Attributes:
        rows: their numbers; those of one sentence are adjacent.
        ids_NT: the ids of each so far.
        totals_N: the log-probability of each.
    """

    def __init__(self, model: StepModel, source: Source, num_hypotheses: int, keep_attention: bool) -> None:
        self.model, self.source, self.num_hypotheses, self.keep_attention = model, source, num_hypotheses, keep_attention
        self.device = source.lengths_B.device
        memory = model.encode(source)
        self.state = model.initial_state(memory, keep_attention)
        self.num_steps = count_steps(memory, source) if keep_attention else []
        self.rows = list(range(source.num_rows * num_hypotheses))
        # All hypotheses of a sentence begin alike: at first they share a row.
        self.layout = RowLayout(self.sentences, width=1, num_rows=source.num_rows)
        self.ids_NT = torch.full((len(self.rows), 1), BOS_ID, dtype=torch.int64, device=self.device)
        self.totals_N = torch.zeros(len(self.rows), device=self.device)
        self.attention_NTS: Tensor | None = None

    @property
    def sentences(self) -> list[int]:
        """The position in the batch of each one's sentence."""
        return [row // self.num_hypotheses for row in self.rows]

    def step(self) -> Tensor:
        """The logits_NV of each one's next symbol."""
        places_N = None if self.layout.is_plain else torch.tensor(self.layout.places, device=self.device)
        previous_R = self.ids_NT[:, -1]
        if places_N is not None:
            previous_R = previous_R.new_full((self.layout.num_rows,), EOS_ID).index_copy(0, places_N, previous_R)
        step = self.model.step(previous_R, self.state)
        self.state = step.state
        if self.keep_attention:
            self.attention_NTS = append_attention(self.attention_NTS, step, places_N)
        return step.logits_NV if places_N is None else step.logits_NV.index_select(0, places_N)

    def extend(self, symbols_N: Tensor, log_probabilities_N: Tensor) -> None:
        """Adds a symbol to each."""
        self.ids_NT = torch.cat([self.ids_NT, symbols_N.unsqueeze(1)], dim=1)
        self.totals_N = self.totals_N + log_probabilities_N

    def attention(self, place: int) -> Tensor | None:
        """The attention of one, as in its hypothesis."""
        if self.attention_NTS is None:
            return None
        return self.attention_NTS[place, :, : self.num_steps[self.sentences[place]]].float().cpu()

    def go_on(self, ended: Sequence[int]) -> None:
        """Goes on without those that have ended, each of the others in a row of its own.

        Args:
            ended: their places.
        """
        if ended:
            live = sorted(set(range(len(self.rows))).difference(ended))
            live_N = torch.tensor(live, dtype=torch.int64, device=self.device)
            self.rows, self.layout = [self.rows[place] for place in live], self.layout.keep(live)
            self.ids_NT, self.totals_N = self.ids_NT[live_N], self.totals_N[live_N]
            self.attention_NTS = None if self.attention_NTS is None else self.attention_NTS[live_N]
        if self.rows and (self.layout.is_idle or self.layout.is_shared):
            move = regroup(self.layout, self.sentences)
            sentences_B = None if move.keeps_sentences else torch.tensor(move.sentences, device=self.device)
            self.state = self.state.select(torch.tensor(move.rows, device=self.device), sentences_B)
            self.layout = move.layout
