"""Beam search for hypotheses that contain given phrases (lexically constrained decoding, Post and Vilar 2018).

The hypotheses of a sentence are in banks, by how many ids of the phrases they contain. Each bank that has candidates gets an equal
share of the beam, so that a hypothesis with a phrase is compared with others that have as much of it, and not with likelier ones
without. Candidates are the likeliest extensions of all, the likeliest of each hypothesis, and those that go on with a phrase.

Whether a hypothesis contains a phrase is read from its text, so other spellings count, and a word that grows beyond its phrase does
not. Only hypotheses with every phrase may end. Each one has a plan: ids that complete what it lacks. The plan's first id is always
a candidate, and a hypothesis whose plan has no room below the length limit is given up. So every search ends in hypotheses with
every phrase.

Shapes: B sentences held, K live hypotheses of each, C candidates (twice the beam size), N rows (B times K), V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq_core.decoding.beam_search import BeamSearch, Candidates
from seq2seq_core.decoding.best_extensions import best_extensions, likeliest
from seq2seq_core.decoding.constraints import NEVER
from seq2seq_core.decoding.phrases.phrase_rules import PhraseRules
from seq2seq_core.tokenization.special_tokens import EOS_ID


class _Extension(NamedTuple):
    """A hypothesis with one more symbol.

    Attributes:
        total: its log-probability.
        row: the row of N that is extended.
        symbol: the symbol.
        bank: ids of phrases that it contains.
    """

    total: float
    row: int
    symbol: int
    bank: int


class ConstrainedSearch(BeamSearch):
    """A beam search whose live hypotheses are chosen bank by bank."""

    def _candidates(self, log_probabilities_NV: Tensor) -> Candidates:
        """The extensions of each sentence that end, and behind them those that stay live, each kind best first."""
        width, ids_N = self.options.beam_size, [tuple(ids) for ids in self.ids_NT[:, 1:].tolist()]
        found = self._offer(log_probabilities_NV, ids_N)
        rows_BC, device = [], self.totals_BK.device
        num_live = self.totals_BK.shape[1]
        for place, sentence in enumerate(self.sentences):
            ends, live = self._choose(sentence, [(one, ids_N[one.row]) for one in found[place]])
            chosen = [*ends[:width], *live[:width]]
            idle = _Extension(NEVER, place * num_live, EOS_ID, 0)
            rows_BC.append(chosen + [idle] * (2 * width - len(chosen)))
        totals_BC = torch.tensor([[one.total for one in row] for row in rows_BC], dtype=self.totals_BK.dtype, device=device)
        parents_BC = torch.tensor([[one.row for one in row] for row in rows_BC], device=device)
        symbols_BC = torch.tensor([[one.symbol for one in row] for row in rows_BC], device=device)
        return Candidates(totals_BC, parents_BC, symbols_BC)

    def _offer(self, log_probabilities_NV: Tensor, ids_N: Sequence[tuple[int, ...]]) -> list[list[_Extension]]:
        """The candidates of each sentence: the likeliest of all, the likeliest of each hypothesis, and those of phrases."""
        (num_sentences, num_live), size = self.totals_BK.shape, log_probabilities_NV.shape[1]
        _, places_BC = best_extensions(log_probabilities_NV, self.totals_BK, 2 * self.options.beam_size)
        best_rows, best_symbols = (self._first_rows() + places_BC // size).reshape(-1), (places_BC % size).reshape(-1)
        pairs = set(zip(best_rows.tolist(), best_symbols.tolist(), strict=True))
        pairs.update(enumerate(likeliest(log_probabilities_NV).tolist()))
        live_N = (self.totals_BK.reshape(-1) > NEVER).tolist()
        for row, ids in enumerate(ids_N):
            if live_N[row]:
                pairs.update((row, symbol) for symbol in self._forced_symbols(self.sentences[row // num_live], ids))
        ordered = sorted(pairs)
        rows, symbols = [row for row, _ in ordered], [symbol for _, symbol in ordered]
        totals = (self.totals_BK.reshape(-1)[rows] + log_probabilities_NV[rows, symbols]).tolist()
        found: list[list[_Extension]] = [[] for _ in range(num_sentences)]
        for (row, symbol), total in zip(ordered, totals, strict=True):
            if total > NEVER:
                found[row // num_live].append(_Extension(total, row, symbol, 0))
        return found

    @property
    def _rules(self) -> PhraseRules:
        rules = self.constraints.phrases
        assert rules is not None, "sentences without phrases have another search"
        return rules

    def _forced_symbols(self, sentence: int, ids: tuple[int, ...]) -> set[int]:
        """The symbols with which a hypothesis goes on with a phrase, and eos if it has them all."""
        row = self._rules.rows[sentence]
        if row is None or len(ids) < self._rules.num_before[sentence]:
            return set()
        progress = self._rules.progress(sentence, ids)
        if progress is None:
            return set()
        return row.next_ids(progress, ids) | ({EOS_ID} if row.is_met(progress) else set())

    def _choose(
        self, sentence: int, offered: Sequence[tuple[_Extension, tuple[int, ...]]]
    ) -> tuple[list[_Extension], list[_Extension]]:
        """The extensions of a sentence that end, and those that stay live, each kind best first."""
        ends, banks = list[_Extension](), dict[int, list[_Extension]]()
        for one, ids in sorted(offered, key=lambda pair: (-pair[0].total, pair[0].row, pair[0].symbol)):
            if one.symbol == EOS_ID:
                ends.append(one)
                continue
            bank = self._bank(sentence, (*ids, one.symbol))
            if bank is not None:
                banks.setdefault(bank, []).append(one._replace(bank=bank))
        by_row = {one.row: ids for one, ids in offered}

        def can_be_completed(one: _Extension) -> bool:
            return self._can_be_completed(sentence, (*by_row[one.row], one.symbol))

        live = share_beam([banks[bank] for bank in sorted(banks, reverse=True)], self.options.beam_size, can_be_completed)
        return ends, sorted(live, key=lambda one: (-one.total, one.row, one.symbol))

    def _bank(self, sentence: int, ids: tuple[int, ...]) -> int | None:
        """The bank of a hypothesis; None: it is given up."""
        if len(ids) <= self._rules.num_before[sentence] or self._rules.rows[sentence] is None:
            return 0
        return self._rules.num_met(sentence, ids)

    def _can_be_completed(self, sentence: int, ids: tuple[int, ...]) -> bool:
        """Whether a hypothesis can still get every phrase."""
        if len(ids) <= self._rules.num_before[sentence] or self._rules.rows[sentence] is None:
            return True
        return self._rules.progress(sentence, ids) is not None


def share_beam(
    banks: Sequence[Sequence[_Extension]], width: int, is_kept: Callable[[_Extension], bool] = lambda one: True
) -> list[_Extension]:
    """The hypotheses that stay live: an equal number of each bank; places that a bank leaves go to the others, the first one first.

    Args:
        banks: the candidates of each bank, best first; the bank with most of the phrases first.
        width: how many stay.
        is_kept: whether a candidate may stay; asked of those only whose turn it is.
    """
    chosen, left = list[_Extension](), [filter(is_kept, bank) for bank in banks]
    while left and len(chosen) < width:
        for bank in list(left):
            one = next(bank, None) if len(chosen) < width else None
            if one is None:
                left.remove(bank)
            else:
                chosen.append(one)
    return chosen
