"""Beam search over a batch of sentences.

At each step every live hypothesis is extended by every symbol. The best ``beam_size`` extensions of a sentence that do not end stay
live. An extension that ends is finished if it is among the best ``beam_size`` of all.

A sentence is done when ``beam_size`` hypotheses are finished and no live one scores, at its present length, above those to be
returned. It is done earlier if no live one can score above them at any length; this does not change the result. The count alone is
not enough: a model trained with label smoothing gives an early end some probability at every step, and a few such ends would crowd
out the good hypothesis. Waiting until no live hypothesis can win at any length is not enough either: the search then runs to the
length limit, where repetitions win.

A beam of 1 is greedy decoding, and a beam that holds every sequence is exhaustive search.

Shapes: B sentences held, K live hypotheses of each (1 at first, then the beam size), C candidates (at most twice the beam size),
N rows (B times K), V vocabulary, S source length, T hypothesis length so far (bos included).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seq2seq_core.batching.batch import Source
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.best_extensions import best_extensions
from seq2seq_core.decoding.constraints import NEVER, Constraints, make_constraints
from seq2seq_core.decoding.hypothesis import (
    Hypothesis,
    StepModel,
    append_attention,
    check_evaluation_mode,
    count_steps,
    length_penalty,
)
from seq2seq_core.decoding.phrases.phrase_rules import RowsOfPhrases
from seq2seq_core.decoding.stopping import Stop, check_stop
from seq2seq_core.errors import NonFiniteOutput
from seq2seq_core.tokenization.special_tokens import BOS_ID, EOS_ID

MOST_IDLE = 1 / 16
"""The share of sentences that may be done and yet held: to drop one costs a copy of all others' encoded sources."""


class Candidates(NamedTuple):
    """Extensions of each sentence's live hypotheses.

    Attributes:
        totals_BC: their log-probabilities, minus infinity where there is none.
        parents_BC: the row of N that is extended.
        symbols_BC: the symbol that extends it.
    """

    totals_BC: Tensor
    parents_BC: Tensor
    symbols_BC: Tensor


def best_live(candidates: Candidates, width: int) -> Candidates:
    """The first ``width`` extensions that do not end; if there are fewer, ended ones fill up, at minus infinity.

    Args:
        candidates: best first.
        width: K.
    """
    totals_BC, parents_BC, symbols_BC = candidates
    is_end_BC = symbols_BC == EOS_ID
    order_BK = is_end_BC.int().argsort(dim=1, stable=True)[:, :width]
    totals_BK = totals_BC.masked_fill(is_end_BC, NEVER).gather(1, order_BK)
    return Candidates(totals_BK, parents_BC.gather(1, order_BK), symbols_BC.gather(1, order_BK))


class BeamSearch:
    """The live hypotheses of all unfinished sentences, and the finished ones.

    Attributes:
        sentences: the position in the batch of each sentence held.
        live: the places, among those held, of the sentences that are not done.
        finished: the finished hypotheses of each sentence of the batch.
    """

    def __init__(
        self, model: StepModel, source: Source, options: DecodingOptions, constraints: Constraints, keep_attention: bool
    ) -> None:
        check_evaluation_mode(model)
        self.model, self.source, self.options, self.keep_attention = model, source, options, keep_attention
        self.constraints = constraints
        self.sentences = list(range(source.num_rows))
        self.live = list(self.sentences)
        self.finished: list[list[Hypothesis]] = [[] for _ in self.sentences]
        memory = model.encode(source)
        self.state = model.initial_state(memory, keep_attention)
        self.num_steps = count_steps(memory, source) if keep_attention else []
        device = source.lengths_B.device
        self.ids_NT = torch.full((len(self.sentences), 1), BOS_ID, dtype=torch.int64, device=device)
        self.totals_BK = torch.zeros((len(self.sentences), 1), device=device)
        self.attention_NTS: Tensor | None = None

    def advance(self) -> None:
        """Extends every live hypothesis by one symbol."""
        step = self.model.step(self.ids_NT[:, -1], self.state)
        if self.keep_attention:
            self.attention_NTS = append_attention(self.attention_NTS, step)
        self._keep(step.state, *self._extend(step.logits_NV))

    def results(self) -> list[list[Hypothesis]]:
        """The hypotheses to return for each sentence, best first."""
        return [sorted(found, key=lambda one: -one.score)[: self.options.num_hypotheses] for found in self.finished]

    def _extend(self, logits_NV: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Stores the extensions that end; of the others those that stay live, best first: log-probability, parent, symbol."""
        candidates = self._candidates(self._next_log_probabilities(logits_NV))
        self._finish(candidates, self.options.beam_size, self.finished)
        return best_live(candidates, self.options.beam_size)

    def _next_log_probabilities(self, logits_NV: Tensor) -> Tensor:
        """The log-probability of each symbol behind each live hypothesis."""
        rows = [sentence for sentence in self.sentences for _ in range(self.totals_BK.shape[1])]
        return self.constraints.next_log_probabilities(logits_NV, self.ids_NT, rows)

    def _first_rows(self) -> Tensor:
        """The row of each sentence's first live hypothesis, (B, 1)."""
        num_sentences, num_live = self.totals_BK.shape
        return torch.arange(num_sentences, device=self.totals_BK.device).unsqueeze(1) * num_live

    def _candidates(self, log_probabilities_NV: Tensor) -> Candidates:
        """The best extensions of each sentence, best first.

        Among twice the beam size there are as many as the beam size that do not end, because each hypothesis ends in one way only.
        """
        totals_BC, places_BC = best_extensions(log_probabilities_NV, self.totals_BK, 2 * self.options.beam_size)
        size = log_probabilities_NV.shape[1]
        return Candidates(totals_BC, self._first_rows() + places_BC // size, places_BC % size)

    def _finish(self, candidates: Candidates, width: int, finished: list[list[Hypothesis]]) -> None:
        """Stores the extensions that end and are among the best ``width``, by sentence."""
        totals_BC, parents_BC, symbols_BC = candidates
        ranks_C = torch.arange(totals_BC.shape[1], device=totals_BC.device)
        chosen_BC = (symbols_BC == EOS_ID) & (ranks_C < width) & (totals_BC > NEVER)
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
                attention_TS = self.attention_NTS[rows_X[index], :, : self.num_steps[sentence]].float().cpu()
            is_cut = self.constraints.is_cut(sentence, len(ids), end)
            finished[sentence].append(Hypothesis(tuple(ids), total / penalty, total, attention_TS, is_cut))

    def _keep(self, state: Any, totals_BK: Tensor, parents_BK: Tensor, symbols_BK: Tensor) -> None:
        """Makes the chosen extensions the live hypotheses, and drops the sentences that are done once they are many."""
        best = totals_BK.amax(dim=1).tolist()
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
        num_live = self._num_live(totals_BK)
        self.totals_BK = totals_BK[:, :num_live]
        rows_N = parents_BK[:, :num_live].reshape(-1)
        self.state = state.select(rows_N, chosen_B)
        self.ids_NT = torch.cat([self.ids_NT[rows_N], symbols_BK[:, :num_live].reshape(-1, 1)], dim=1)
        if self.attention_NTS is not None:
            self.attention_NTS = self.attention_NTS[rows_N]

    def _num_live(self, totals_BK: Tensor) -> int:
        """How many live hypotheses of each sentence are held."""
        return int((totals_BK > NEVER).sum(dim=1).max())

    def _is_done(self, sentence: int, best_total: float) -> bool:
        """Whether the search for a sentence is over."""
        options = self.options
        return self._is_over(sentence, best_total, self.finished[sentence], options.num_hypotheses, options.beam_size)

    def _is_over(self, sentence: int, best_total: float, found: list[Hypothesis], num_wanted: int, width: int) -> bool:
        """Whether none of a sentence's live hypotheses is worth its search.

        A live hypothesis's log-probability can only fall, and the length penalty is largest at the greatest length: so
        ``best_total`` divided by that penalty is the highest score that any of them can still reach.
        """
        if best_total == NEVER or len(found) < num_wanted:
            return best_total == NEVER
        last_returned = sorted((hypothesis.score for hypothesis in found), reverse=True)[num_wanted - 1]
        if best_total / length_penalty(self.constraints.limits[sentence] + 1, self.options.length_penalty) <= last_returned:
            return True
        present_score = best_total / length_penalty(self.ids_NT.shape[1], self.options.length_penalty)
        return len(found) >= width and present_score <= last_returned


@torch.no_grad()
def decode(
    model: StepModel,
    source: Source,
    options: DecodingOptions,
    keep_attention: bool = False,
    prefixes: Sequence[Sequence[int]] | None = None,
    stop: Stop | None = None,
    phrases: RowsOfPhrases | None = None,
    kind: type[BeamSearch] = BeamSearch,
) -> list[list[Hypothesis]]:
    """The ``num_hypotheses`` best hypotheses found for each source, best first, sources in order.

    Args:
        model: in evaluation mode.
        source: on the model's device.
        options: the decoding options.
        keep_attention: whether hypotheses carry their attention.
        prefixes: for each source, the ids that its hypotheses must begin with.
        stop: asked before every step; ends the search.
        phrases: for each source, the phrases that its hypotheses must and must not contain; forced ones need the kind for them.
        kind: of the search.

    Raises:
        DecodingStopped: ``stop`` said so.
        NonFiniteOutput: the model's output is no distribution.
    """
    check_stop(stop)
    search = kind(
        model, source, options, make_constraints(options, source.lengths_B.tolist(), prefixes, phrases, stop), keep_attention
    )
    while search.sentences:
        check_stop(stop)
        search.advance()
    if [] in search.finished:  # the only symbols allowed have probability 0
        raise NonFiniteOutput(search.finished.index([]))
    return search.results()
