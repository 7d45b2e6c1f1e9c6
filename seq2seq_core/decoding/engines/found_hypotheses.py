"""Which of CTranslate2's hypotheses the reference returns: told from what was found, without a search of the reference.

As long as both searches go on, they keep the same live hypotheses and find the same ones in the same order. The reference stops
once ``beam_size`` are found and no live one scores above the best of them. Before a hypothesis ends, its beginning is live. So the
reference still searches if that beginning scores above all that are found, at each step at which it might stop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import NamedTuple

from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.constraints import EVEN_CHANCE, NEVER
from seq2seq_core.decoding.hypothesis import Hypothesis, length_penalty
from seq2seq_core.tokenization.special_tokens import BOS_ID, EOS_ID, PAD_ID

MARGIN = 1e-4
"""Least difference of two scores that rounding does not explain."""

ROOM, ROOM_OF_BEGINNINGS = 0.5, 8
"""How much longer than the longest hypothesis that CTranslate2 returned one that it left out is at most, in ids.

One that ended in the same step is as long; the rest is room for what is not known. The second holds where a returned hypothesis
begins another one: such a model also ends where it would rather go on, and the ends keep out what goes on. Twice the first sends
three times as many sentences of a translation model into a second search.
"""

MOST_STEPS = 256
"""Nothing ends a search that is seen in full: so many steps at most."""

LIKE_LENGTHS = 4
"""Searches whose steps differ by less are done at once."""


class Sentence(NamedTuple):
    """A sentence to decode.

    Attributes:
        place: its position among the rows.
        ids: the source.
        prefix: the ids that its hypotheses begin with.
        limit: most ids of a hypothesis.
    """

    place: int
    ids: tuple[int, ...]
    prefix: tuple[int, ...]
    limit: int


class Ended(NamedTuple):
    """A hypothesis that CTranslate2 found.

    Attributes:
        ids: the target, prefix included, without eos.
        log_probability: of what follows the prefix, eos included.
        has_end: whether it ends by eos, not by the bound of the search.
    """

    ids: tuple[int, ...]
    log_probability: float
    has_end: bool

    @classmethod
    def read(cls, tokens: Sequence[str], log_probability: float) -> Ended:
        """From the tokens of CTranslate2, eos included where it has one."""
        ids = tuple(map(int, tokens))
        has_end = bool(ids) and ids[-1] == EOS_ID
        return cls(ids[:-1] if has_end else ids, log_probability, has_end)


class Winner(NamedTuple):
    """The best hypothesis found for a sentence.

    Attributes:
        sentence: the sentence.
        best: the hypothesis.
        earlier: of each hypothesis that was found before it: its length, eos included, and its score.
        is_in_doubt: whether the reference may have stopped before it was found.
        fewest_found: fewest of the earlier hypotheses with which the reference may have stopped.
        num_steps: so many steps of the search, seen in full, show all that matters; 0: they were seen.
        is_open: whether they must be seen, as a hypothesis that was left out may be better.
    """

    sentence: Sentence
    best: Hypothesis
    earlier: tuple[tuple[int, float], ...]
    is_in_doubt: bool
    fewest_found: int
    num_steps: int = 0
    is_open: bool = False

    def is_found_by_reference(self, log_probabilities: Sequence[float], options: DecodingOptions) -> bool:
        """Whether the reference was still searching when it was found, for certain; never where the model is unsure of its ids.

        Args:
            log_probabilities: of each of its ids.
            options: the decoding options.
        """
        if sum(log_probabilities) < EVEN_CHANCE * len(log_probabilities):
            return False
        for length, total in enumerate(accumulate(log_probabilities), start=1):
            found = [score for their_length, score in self.earlier if their_length <= length]
            if len(found) >= self.fewest_found and _rank(total, length, options) <= max(found) + MARGIN:
                return False
        return True


def has_unusual_ids(hypotheses: Sequence[Ended]) -> bool:
    """Whether a hypothesis holds an id that the reference never predicts.

    Args:
        hypotheses: of a sentence.
    """
    return any(PAD_ID in one.ids or BOS_ID in one.ids for one in hypotheses)


def choose(sentence: Sentence, hypotheses: Sequence[Ended], options: DecodingOptions, prefix: float, end: float) -> Winner | None:
    """The best of the hypotheses that ended before a sentence's limit; None: the reference may have another one.

    Args:
        sentence: the sentence.
        hypotheses: the likeliest ``beam_size`` that ended; more may have.
        options: the decoding options.
        prefix: log-probability of the prefix.
        end: log-probability of eos behind the prefix, where CTranslate2 may have passed it over.
    """
    if has_unusual_ids(hypotheses) or any(len(one.ids) >= sentence.limit for one in hypotheses):
        return None
    ended = [_hypothesis(one.ids, prefix + one.log_probability, options) for one in hypotheses]
    passed_over = _passed_over(sentence, ended, prefix + end, options)
    best = max(ended, key=lambda one: one.score)
    if any(one.score >= best.score for one in passed_over):
        return None
    earlier = _before(best, [*ended, *passed_over])
    # Of two that end, the likelier one had the likelier beginning when the other one ended; so did it have the better score.
    likelier = any(one.log_probability > best.log_probability for one in ended if len(one.ids) < len(best.ids))
    is_in_doubt = len(hypotheses) > 1 and (len(earlier) >= options.beam_size - 1 or (bool(sentence.prefix) and likelier))
    room = ROOM_OF_BEGINNINGS if _has_beginnings([one.ids for one in ended]) else ROOM
    num_steps = max(len(one.ids) for one in ended) + 1
    # CTranslate2 leaves out what is less likely than all that it returns: such a one has a better score only if it is longer.
    least = min(one.log_probability for one in ended)
    is_open = len(ended) > 1 and _rank(least, num_steps + room, options) > best.score
    return Winner(sentence, best, earlier, is_in_doubt, 1, num_steps + int(room), is_open)


def _has_beginnings(targets: Sequence[tuple[int, ...]]) -> bool:
    """Whether one of different targets begins another one: then it also begins the next one in order."""
    in_order = sorted(targets)
    return any(longer[: len(one)] == one for one, longer in pairwise(in_order))


def batches_to_see(winners: Sequence[Winner], max_positions: int | None) -> list[tuple[int, list[Sentence]]]:
    """Batches of the sentences of winners whose searches must be seen in full, with the steps to see.

    Args:
        winners: of a first search, all of the same batch.
        max_positions: steps that the model has positions for; None: any number. Sentences that need more are in no batch.
    """
    most_steps = min(MOST_STEPS, max_positions or MOST_STEPS)
    alike: dict[int, list[Sentence]] = {}
    for winner in winners:
        sentence = winner.sentence
        steps = min(winner.num_steps, sentence.limit)
        if steps <= most_steps:
            steps = min(-(-steps // LIKE_LENGTHS) * LIKE_LENGTHS, sentence.limit, most_steps)
            alike.setdefault(steps, []).append(sentence)
    return list(alike.items())


def choose_of_all(
    sentence: Sentence, hypotheses: Sequence[Ended], num_steps: int, options: DecodingOptions, prefix: float, end: float
) -> Winner | None:
    """The best hypothesis of a sentence of whose search all is known up to a step; None: the reference may have another one.

    Args:
        sentence: the sentence.
        hypotheses: all that ended, and those that were live at that step.
        num_steps: the step, at most the sentence's limit.
        options: the decoding options.
        prefix: log-probability of the prefix.
        end: log-probability of eos behind the prefix.
    """
    if has_unusual_ids(hypotheses):
        return None
    ended = [_hypothesis(one.ids, prefix + one.log_probability, options) for one in hypotheses if one.has_end]
    passed_over = _passed_over(sentence, ended, prefix + end, options)
    best = max([*ended, *passed_over], key=lambda one: one.score, default=None)
    live = [prefix + one.log_probability for one in hypotheses if not one.has_end]
    likeliest = max(live, default=_likeliest_missing(hypotheses, prefix, num_steps))
    goes_on = best is None or _rank(likeliest, num_steps, options) > best.score - MARGIN
    # The prefix as a hypothesis may be none of the reference's, so it does not count among those that let the reference stop.
    if best is None or goes_on or best in passed_over or len(ended) < options.beam_size:
        return None
    earlier = _before(best, [*ended, *passed_over])
    return Winner(sentence, best, earlier, len(earlier) >= options.beam_size, options.beam_size)


def choose_at_limit(
    sentence: Sentence,
    hypotheses: Sequence[Ended],
    options: DecodingOptions,
    prefix: float,
    end: float,
    ends: Sequence[float],
) -> Winner | None:
    """The best of all hypotheses of a sentence whose search went on to its limit; None: the reference may have another one.

    Args:
        sentence: the sentence; its limit is above its prefix's length.
        hypotheses: all that ended, and those that were live at the limit.
        options: the decoding options.
        prefix: log-probability of the prefix.
        end: log-probability of eos behind the prefix.
        ends: log-probability of eos behind each that was live at the limit, in order.
    """
    if has_unusual_ids(hypotheses):
        return None
    live = [one for one in hypotheses if not one.has_end]
    ended = [_hypothesis(one.ids, prefix + one.log_probability, options) for one in hypotheses if one.has_end]
    passed_over = _passed_over(sentence, ended, prefix + end, options)
    ended += passed_over
    cut = [
        replace(_hypothesis(one.ids, prefix + one.log_probability + last, options), is_cut=last < EVEN_CHANCE)
        for one, last in zip(live, ends, strict=True)
    ]
    best = max([*ended, *cut], key=lambda one: one.score)
    if (
        best in passed_over
        or _rank(_likeliest_missing(hypotheses, prefix, sentence.limit), sentence.limit + 1, options) > best.score - MARGIN
    ):
        return None
    earlier = _before(best, ended)
    return Winner(sentence, best, earlier, len(earlier) >= options.beam_size, options.beam_size)


def _rank(log_probability: float, length: float, options: DecodingOptions) -> float:
    """The score of a log-probability; the length includes eos."""
    return log_probability / length_penalty(length, options.length_penalty)


def _hypothesis(ids: tuple[int, ...], log_probability: float, options: DecodingOptions) -> Hypothesis:
    return Hypothesis(ids, _rank(log_probability, len(ids) + 1, options), log_probability)


def _passed_over(
    sentence: Sentence, ended: Sequence[Hypothesis], log_probability: float, options: DecodingOptions
) -> list[Hypothesis]:
    """The prefix as a hypothesis of its own, where CTranslate2 may have passed it over."""
    if not sentence.prefix or any(one.ids == sentence.prefix for one in ended):
        return []
    return [_hypothesis(sentence.prefix, log_probability, options)]


def _likeliest_missing(hypotheses: Sequence[Ended], prefix: float, num_steps: int) -> float:
    """The greatest log-probability of a hypothesis that was live after the last step, and is not among those found.

    Those that ended in the last step have taken the places of live ones, none of which was likelier.
    """
    if all(len(one.ids) != num_steps - 1 or not one.has_end for one in hypotheses):
        return NEVER
    return prefix + min(one.log_probability for one in hypotheses if len(one.ids) >= num_steps - 1)


def _before(best: Hypothesis, ended: Sequence[Hypothesis]) -> tuple[tuple[int, float], ...]:
    """The length and score of each hypothesis that ended before another one."""
    return tuple((len(one.ids) + 1, one.score) for one in ended if len(one.ids) < len(best.ids))
