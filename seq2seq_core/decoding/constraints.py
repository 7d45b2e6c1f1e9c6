"""Constraints on the next symbol: the same rules for greedy decoding, beam search and sampling.

Where rules disagree, the first of these wins: a forced prefix, the length limit, phrases that are forced or forbidden, no repeated
n-gram, the minimum length. Rules only forbid symbols: allowed symbols
keep the model's log-probability, without renormalisation.

A rule depends only on a row's ids and its sentence, so rows may be reordered, repeated and dropped between steps.

Shapes: N rows being decoded, T hypothesis length so far (bos included), V vocabulary, G order of the n-grams, X banned symbols.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.phrases.phrase_rules import PhraseRules, RowsOfPhrases
from seq2seq_core.decoding.stopping import Stop
from seq2seq_core.errors import NonFiniteOutput
from seq2seq_core.tokenization.special_tokens import BOS_ID, EOS_ID, PAD_ID, SPECIAL_NAMES

NEVER, EVEN_CHANCE = float("-inf"), math.log(0.5)
"""Log-probabilities."""


@dataclass(frozen=True)
class Constraints:
    """The rules of one batch, made once for a search.

    Attributes:
        limits: most ids of each sentence, eos not counted; never below its prefix.
        prefixes: the ids that each sentence's hypotheses begin with; empty: no such rule.
        min_length: fewest ids before eos; a row without an allowed symbol ends below it.
        no_repeat_ngram_size: the order of the n-grams that may occur only once (Paulus 2018, section 2.5); 0: no such rule.
        banned_ids: symbols that are forbidden outside prefixes, besides PAD and BOS.
        phrases: the phrases that hypotheses must and must not contain; None: no such rule.
    """

    limits: tuple[int, ...]
    prefixes: tuple[tuple[int, ...], ...] = ()
    min_length: int = 0
    no_repeat_ngram_size: int = 0
    banned_ids: tuple[int, ...] = ()
    phrases: PhraseRules | None = None

    def next_log_probabilities(self, logits_NV: Tensor, ids_NT: Tensor, sentences: Sequence[int]) -> Tensor:
        """The log-probability of each possible next symbol, (N, V), at least float32; minus infinity for forbidden symbols.

        Args:
            logits_NV: logits of the model; what is in them afterwards is not defined.
            ids_NT: the ids of each row so far, bos included; int64.
            sentences: the position in the batch of each row's sentence.

        Raises:
            NonFiniteOutput: a row's logits hold NaN or infinity, or nothing but minus infinity.
        """
        logits_NV = logits_NV.to(torch.promote_types(logits_NV.dtype, torch.float32))
        # On a CPU the memory of the logits is at hand, and new memory is not.
        room_NV = logits_NV if logits_NV.device.type == "cpu" else None
        log_probabilities_NV = torch.log_softmax(logits_NV, dim=-1, out=room_NV)
        # One such number makes a whole row NaN, so one column tells.
        if bool((is_nan_N := log_probabilities_NV[:, EOS_ID].isnan()).any()):
            raise NonFiniteOutput(sentences[int(is_nan_N.int().argmax())])
        rows, symbols = self._forced_symbols(ids_NT.shape[1] - 1, sentences)
        forced_X = log_probabilities_NV[rows, symbols] if rows else None
        by_phrases = self.phrases.read(log_probabilities_NV, ids_NT, sentences) if self.phrases else None
        log_probabilities_NV[:, [PAD_ID, BOS_ID, *self.banned_ids]] = NEVER
        self._forbid(log_probabilities_NV, ids_NT)
        if by_phrases is not None:
            by_phrases.apply(log_probabilities_NV)
        if forced_X is not None:
            log_probabilities_NV[rows] = NEVER
            log_probabilities_NV[rows, symbols] = forced_X
        return log_probabilities_NV

    def is_cut(self, sentence: int, length: int, end_log_probability: float) -> bool:
        """Whether the length limit ended a hypothesis: it reached the limit, and eos was less likely than continuing.

        Args:
            sentence: its position in the batch.
            length: its symbols, eos not counted.
            end_log_probability: log-probability of eos after them.
        """
        return length >= self.limits[sentence] and end_log_probability < EVEN_CHANCE

    def _forced_symbols(self, length: int, sentences: Sequence[int]) -> tuple[list[int], list[int]]:
        """The rows with only one allowed symbol, and that symbol: the next of their prefix, or eos at their length limit."""
        if length < min(self.limits) and not any(length < len(prefix) for prefix in self.prefixes):
            return [], []
        forced = {}
        for row, sentence in enumerate(sentences):
            if self.prefixes and length < len(self.prefixes[sentence]):
                forced[row] = self.prefixes[sentence][length]
            elif length >= self.limits[sentence]:
                forced[row] = EOS_ID
        return list(forced), list(forced.values())

    def _forbid(self, log_probabilities_NV: Tensor, ids_NT: Tensor) -> None:
        """Sets minus infinity where eos would come too early or an n-gram would repeat."""
        is_too_short = ids_NT.shape[1] <= self.min_length
        if not (is_too_short or self.no_repeat_ngram_size):
            return
        end_N = log_probabilities_NV[:, EOS_ID].clone()
        if is_too_short:
            log_probabilities_NV[:, EOS_ID] = NEVER
        if self.no_repeat_ngram_size:
            rows_X, symbols_X = repeating_symbols(ids_NT, self.no_repeat_ngram_size)
            log_probabilities_NV[rows_X, symbols_X] = NEVER
        has_nothing_N = (log_probabilities_NV == NEVER).all(dim=1)
        log_probabilities_NV[:, EOS_ID] = torch.where(has_nothing_N, end_N, log_probabilities_NV[:, EOS_ID])


def make_constraints(
    options: DecodingOptions,
    source_lengths: Sequence[int],
    prefixes: Sequence[Sequence[int]] | None = None,
    phrases: RowsOfPhrases | None = None,
    stop: Stop | None = None,
) -> Constraints:
    """The rules of a batch.

    Args:
        options: the decoding options.
        source_lengths: ids or frames of each source.
        prefixes: for each sentence, the ids that its hypotheses must begin with; may be empty.
        phrases: for each sentence, the phrases that its hypotheses must and must not contain; None: none.
        stop: asked while phrases are looked at; ends the search.

    Raises:
        ValueError: the numbers of prefixes and sentences differ, or a prefix holds pad, bos or eos.
    """
    limits = [options.length_limit(length) for length in source_lengths]
    rows = tuple(tuple(int(symbol) for symbol in prefix) for prefix in prefixes or ())
    if prefixes is not None and len(rows) != len(limits):
        raise ValueError(f"expected a prefix for each of {len(limits)} sentences, got {len(rows)}")
    for place, row in enumerate(rows):
        if special := {PAD_ID, BOS_ID, EOS_ID}.intersection(row):
            raise ValueError(f"prefix {place} must not hold {SPECIAL_NAMES[min(special)]}, got {list(row)}")
    if any(rows):
        limits = [max(limit, len(row)) for limit, row in zip(limits, rows, strict=True)]
    rules = None
    if phrases is not None and any(phrases):
        starts = rows or ((),) * len(limits)
        limits = [
            one.limit(limit, options, len(start)) if one else limit
            for one, limit, start in zip(phrases, limits, starts, strict=True)
        ]
        rules = PhraseRules(phrases, [len(start) for start in starts], limits, stop)
    return Constraints(
        tuple(limits), rows if any(rows) else (), options.min_length, options.no_repeat_ngram_size, phrases=rules
    )  # fmt: skip


def repeating_symbols(ids_NT: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The symbols that would repeat an n-gram of a row: rows_X and symbols_X (Paulus 2018, section 2.5).

    Args:
        ids_NT: the ids of each row so far, bos included; int64.
        size: the order of the n-grams, at least 1.
    """
    if ids_NT.shape[1] <= size:  # bos and fewer than ``size`` symbols: no n-gram yet
        return ids_NT.new_empty(0), ids_NT.new_empty(0)
    ngrams_NTG = ids_NT[:, 1:].unfold(1, size, 1)
    last_N1G = ids_NT[:, ids_NT.shape[1] - size + 1 :].unsqueeze(1)
    is_repeated_NT = (ngrams_NTG[:, :, :-1] == last_N1G).all(dim=2)
    rows_X, places_X = is_repeated_NT.nonzero(as_tuple=True)
    return rows_X, ngrams_NTG[rows_X, places_X, size - 1]
