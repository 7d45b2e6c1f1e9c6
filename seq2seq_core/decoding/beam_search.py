"""Beam search over a batch of sentences.

At each step every live hypothesis is extended by every symbol. The best ``beam_size`` extensions of a sentence that do not end
stay
live. An extension that ends is finished if it is among the best ``beam_size`` of all.

A sentence is done when ``beam_size`` hypotheses are finished and no live one scores, at its present length, above those to
be
returned. It is done earlier if no live one can score above them at any length; this does not change the result. The count alone
is
not enough: a model trained with label smoothing gives an early end some probability at every step, and a few such ends would
crowd
out the good hypothesis. Waiting until no live hypothesis can win at any length is not enough either: the search then runs to
the
length limit, where repetitions win.

A beam of 1 is greedy decoding, and a beam that holds every sequence is exhaustive search.

Shapes: B sentences held, K live hypotheses of each (1 at first, then the beam size), C candidates (at most twice the beam size),
N rows (B times K), V vocabulary, S source length, T hypothesis length so far (bos included).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from seq2seq_core.batching.batch import Source
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.best_extensions import best_extensions
from seq2seq_core.decoding.constraints import NEVER, Constraints, make_constraints
from seq2seq_core.decoding.hypothesis import Hypothesis, StepModel, append_attention, check_evaluation_mode, trim_attention
from seq2seq_core.decoding.length_penalty import length_penalty
from seq2seq_core.decoding.stopping import Stop, check_stop
from seq2seq_core.errors import NonFiniteOutput
from seq2seq_core.tokenization.special_tokens import BOS_ID, EOS_ID

MOST_IDLE = 1 / 16
"""The share of sentences that may be done and yet held: to drop one costs a copy of all others' encoded sources."""


@torch.no_grad()
def decode(
    model: StepModel,
    source: Source,
    options: DecodingOptions,
    keep_attention: bool = False,
    prefixes: Sequence[Sequence[int]] | None = None,
    stop: Stop | None = None,
) -> list[list[Hypothesis]]:
    """The ``num_hypotheses`` best hypotheses found for each source, best first, sources in order.

    Args:
        model: in evaluation mode.
        source: on the model's device.
        options: the decoding options.
        keep_attention: whether hypotheses carry their attention.
        prefixes: for each source, the ids that its hypotheses must begin with.
        stop: asked before every step; ends the search.

    Raises:
        DecodingStopped: ``stop`` said so.
        NonFiniteOutput: the model's output is no distribution.
    """
    check_evaluation_mode(model)
    check_stop(stop)
    search = _Search(model, source, options, make_constraints(options, source, prefixes), keep_attention)
    while search.sentences:
        check_stop(stop)
        search.advance()
    if [] in search.finished:  # the only symbols allowed have probability 0
        raise NonFiniteOutput(search.finished.index([]))
    return [sorted(found, key=lambda hypothesis: -hypothesis.score)[: options.num_hypotheses] for found in search.finished]


class _Search:
    """The live hypotheses of all unfinished sentences, and the finished ones.

    Attributes:
        sentences: the position in the batch of each sentence held.
        live: the places, among those held, of the sentences that are not done.
        finished: the finished hypotheses of each sentence of the batch.
    """

    def __init__(
        self, model: StepModel, source: Source, options: DecodingOptions, constraints: Constraints, keep_attention: bool
    ) -> None:
        self.model, self.source, self.options, self.keep_attention = model, source, options, keep_attention
        self.constraints = constraints
        self.sentences = list(range(source.num_rows))
        self.live = list(self.sentences)
        self.finished: list[list[Hypothesis]] = [[] for _ in self.sentences]
        self.state = model.initial_state(model.encode(source), keep_attention)
        device = source.lengths_B.device
        self.ids_NT = torch.full((len(self.sentences), 1), BOS_ID, dtype=torch.int64, device=device)
        self.totals_BK = torch.zeros((len(self.sentences), 1), device=device)
        self.attention_NTS: Tensor | None = None

    def advance(self) -> None:
        """Extends every live hypothesis by one symbol."""
        step = self.model.step(self.ids_NT[:, -1], self.state)
        if self.keep_attention:
            self.attention_NTS = append_attention(self.attention_NTS, step)
        totals_BC, parents_BC, symbols_BC = self._candidates(step.logits_NV)
        is_end_BC = symbols_BC == EOS_ID
        self._finish(totals_BC, parents_BC, is_end_BC)
        # The best K that do not end, in order; if there are fewer, ended ones fill up, at minus infinity.
        order_BK = is_end_BC.int().argsort(dim=1, stable=True)[:, : self.options.beam_size]
        totals_BK = totals_BC.masked_fill(is_end_BC, NEVER).gather(1, order_BK)
        self._keep(step.state, totals_BK, parents_BC.gather(1, order_BK), symbols_BC.gather(1, order_BK))

    def _candidates(self, logits_NV: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The best extensions of each sentence, best first: log-probability, row of N that is extended, symbol.

        Among twice the beam size there are as many as the beam size that do not end, because each hypothesis ends in one way only.
        """
        num_live, vocabulary_size = self.totals_BK.shape[1], logits_NV.shape[1]
        rows = [sentence for sentence in self.sentences for _ in range(num_live)]
        log_probabilities_NV = self.constraints.next_log_probabilities(logits_NV, self.ids_NT, rows)
        totals_BC, places_BC = best_extensions(log_probabilities_NV, self.totals_BK, 2 * self.options.beam_size)
        first_row_B1 = torch.arange(len(self.sentences), device=logits_NV.device).unsqueeze(1) * num_live
        return totals_BC, first_row_B1 + places_BC // vocabulary_size, places_BC % vocabulary_size

    def _finish(self, totals_BC: Tensor, parents_BC: Tensor, is_end_BC: Tensor) -> None:
        """Stores the extensions that end and are among the best K."""
        ranks_C = torch.arange(totals_BC.shape[1], device=totals_BC.device)
        chosen_BC = is_end_BC & (ranks_C < self.options.beam_size) & (totals_BC > NEVER)
        places = chosen_BC.nonzero()[:, 0].tolist()
        rows_X = parents_BC[chosen_BC]
        penalty = length_penalty(self.ids_NT.shape[1], self.options.length_penalty)  # bos is in place of eos
        totals_X = totals_BC[chosen_BC]
        end_log_probabilities_X = totals_X - self.totals_BK.reshape(-1)[rows_X]
        ended = zip(
            places, self.ids_NT[rows_X, 1:].tolist(), totals_X.tolist(), end_log_probabilities_X.tolist(), strict=True
        )  # fmt: skip
        for index, (place, ids, total, end) in enumerate(ended):
            sentence, attention_TS = self.sentences[place], None
            if self.attention_NTS is not None:
                attention_TS = trim_attention(self.attention_NTS[rows_X[index]], self.source, sentence)
            is_cut = self.constraints.is_cut(sentence, len(ids), end)
            self.finished[sentence].append(Hypothesis(tuple(ids), total / penalty, total, attention_TS, is_cut))

    def _keep(self, state: Any, totals_BK: Tensor, parents_BK: Tensor, symbols_BK: Tensor) -> None:
        """Makes the chosen extensions the live hypotheses, and drops the sentences that are done once they are many."""
        best = totals_BK[:, 0].tolist()
        live = [place for place in self.live if not self._is_done(self.sentences[place], best[place])]
        if not live:
            self.sentences = []
            return
        if len(live) < (1 - MOST_IDLE) * len(self.sentences):
            self.sentences, self.live = [self.sentences[place] for place in live], list(range(len(live)))
            chosen_B = torch.tensor(live, device=totals_BK.device)
            totals_BK, parents_BK, symbols_BK = totals_BK[chosen_B], parents_BK[chosen_B], symbols_BK[chosen_B]
        else:
            chosen_B = None
            totals_BK[sorted(set(self.live).difference(live))] = NEVER
            self.live = live
        # While a prefix is forced, and at the first step, a sentence has one hypothesis.
        num_live = int((totals_BK > NEVER).sum(dim=1).max())
        self.totals_BK = totals_BK[:, :num_live]
        rows_N = parents_BK[:, :num_live].reshape(-1)
        self.state = state.select(rows_N, chosen_B)
        self.ids_NT = torch.cat([self.ids_NT[rows_N], symbols_BK[:, :num_live].reshape(-1, 1)], dim=1)
        if self.attention_NTS is not None:
            self.attention_NTS = self.attention_NTS[rows_N]

    def _is_done(self, sentence: int, best_total: float) -> bool:
        """Whether the search for a sentence is over.

        A live hypothesis's log-probability can only fall, and the length penalty is largest at the greatest length: so
        ``best_total`` divided by that penalty is the highest score that any of them can still reach.
        """
        found = self.finished[sentence]
        if best_total == NEVER or len(found) < self.options.num_hypotheses:
            return best_total == NEVER
        last_returned = sorted((hypothesis.score for hypothesis in found), reverse=True)[self.options.num_hypotheses - 1]
        if best_total / length_penalty(self.constraints.limits[sentence] + 1, self.options.length_penalty) <= last_returned:
            return True
        present_score = best_total / length_penalty(self.ids_NT.shape[1], self.options.length_penalty)
        return len(found) >= self.options.beam_size and present_score <= last_returned
