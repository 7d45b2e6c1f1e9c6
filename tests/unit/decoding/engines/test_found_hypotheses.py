"""Which hypotheses are those of the reference for certain."""

from __future__ import annotations

import pytest

from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.engines.found_hypotheses import (
    Ended,
    Sentence,
    Winner,
    choose,
    choose_at_limit,
    choose_of_all,
)
from seq2seq_core.tokenization.special_tokens import PAD_ID

OPTIONS = DecodingOptions(beam_size=2, length_penalty=0.0)
SENTENCE = Sentence(0, (9, 3), (), 6)
WITH_PREFIX = Sentence(0, (9, 3), (8,), 6)


def ended(length: int, log_probability: float, has_end: bool = True, first: int = 10) -> Ended:
    return Ended(tuple(range(first, first + length)), log_probability, has_end)


def winner_of(found: Winner | None) -> Winner:
    assert found is not None
    return found


def test_a_hypothesis_is_certain_while_too_few_ended_before_it() -> None:
    found = winner_of(choose(SENTENCE, [ended(2, -1.0), ended(2, -2.0, first=20)], OPTIONS, 0.0, 0.0))
    assert (found.best.ids, found.best.log_probability, found.best.is_cut) == ((10, 11), -1.0, False)
    assert (found.is_in_doubt, found.earlier) == (False, ())


@pytest.mark.parametrize(
    ("beginning", "is_found"),
    [
        ([-0.1, -0.1, -0.1, -0.1], True),  # above the other, which ended after two ids, at each step from the third on
        ([-1.9, -0.1, -0.1, -0.1], True),  # below it, but before it ended
        ([-0.1, -0.1, -2.1, -0.1], False),
    ],
)
def test_a_hypothesis_is_the_references_if_its_beginning_scored_above_those_that_had_ended(
    beginning: list[float], is_found: bool
) -> None:
    options = DecodingOptions(beam_size=2, length_penalty=1.0)
    found = winner_of(choose(SENTENCE, [ended(4, -1.0), ended(2, -2.2, first=20)], options, 0.0, 0.0))
    assert (found.best.ids, found.earlier) == ((10, 11, 12, 13), ((3, -2.2 / (8 / 6)),))
    assert found.is_in_doubt
    assert found.is_found_by_reference(beginning, options) == is_found


@pytest.mark.parametrize(
    "hypotheses",
    [
        [ended(6, -1.0), ended(2, -2.0)],  # beyond the limit, if eos came there
        [ended(2, -1.0), Ended((PAD_ID, 5), -2.0, True)],
    ],
    ids=["at the limit", "pad"],
)
def test_what_the_reference_would_do_otherwise_is_no_choice(hypotheses: list[Ended]) -> None:
    assert choose(SENTENCE, hypotheses, OPTIONS, 0.0, 0.0) is None


@pytest.mark.parametrize(("end", "is_chosen"), [(-0.1, False), (-9.0, True)])
def test_a_prefix_that_may_have_been_passed_over_must_score_below(end: float, is_chosen: bool) -> None:
    hypotheses = [Ended((8, 10), -1.0, True), Ended((8, 11), -2.0, True)]
    assert (choose(WITH_PREFIX, hypotheses, OPTIONS, -0.5, end) is not None) == is_chosen
    assert (choose_at_limit(WITH_PREFIX, hypotheses, OPTIONS, -0.5, end, []) is not None) == is_chosen


def test_a_prefix_that_may_have_been_passed_over_lets_no_search_stop() -> None:
    options = DecodingOptions(beam_size=2, length_penalty=1.0)
    live = Ended((8, 11, 12, 13), -9.0, False)
    assert choose_of_all(WITH_PREFIX, [Ended((8, 10), -2.0, True), live], 4, options, 0.0, -30.0) is None
    both = [Ended((8, 10), -2.0, True), Ended((8, 12), -2.5, True), live]
    assert winner_of(choose_of_all(WITH_PREFIX, both, 4, options, 0.0, -30.0)).best.ids == (8, 10)


def test_at_the_limit_eos_ends_what_is_live() -> None:
    hypotheses = [ended(1, -3.0), ended(6, -1.0, has_end=False), ended(6, -1.5, has_end=False, first=20)]
    found = winner_of(choose_at_limit(SENTENCE, hypotheses, OPTIONS, 0.0, 0.0, [-4.0, -0.25]))
    assert (found.best.ids[0], found.best.log_probability, found.best.is_cut) == (20, -1.75, False)
    assert not found.is_in_doubt  # one ended before it, and the reference needs two
    cut = winner_of(choose_at_limit(SENTENCE, hypotheses, OPTIONS, 0.0, 0.0, [-0.7, -4.0]))
    assert (cut.best.ids[0], cut.best.log_probability, cut.best.is_cut) == (10, -1.7, True)


def test_at_the_limit_the_reference_may_have_stopped_once_enough_had_ended() -> None:
    early = [ended(1, -3.0, first=30), ended(2, -2.0, first=40)]
    found = winner_of(choose_at_limit(SENTENCE, [*early, ended(6, -0.5, has_end=False)], OPTIONS, 0.0, 0.0, [-0.1]))
    assert found.is_in_doubt
    assert found.is_found_by_reference([-0.1] * 6, OPTIONS)
    assert not found.is_found_by_reference([-2.5, *[0.0] * 5], OPTIONS)  # at the third step both had ended, at -2.0 or less
    assert winner_of(choose_at_limit(SENTENCE, [early[0], ended(6, -0.5, False)], OPTIONS, 0.0, 0.0, [-0.1])).is_in_doubt is False


@pytest.mark.parametrize(("best", "is_chosen"), [(-1.0, True), (-2.5, False)])
def test_what_was_live_at_the_limit_and_not_found_must_be_below(best: float, is_chosen: bool) -> None:
    """One ended in the last step, so a live hypothesis was passed over that is no likelier than those found there."""
    hypotheses = [ended(5, -2.0, first=30), ended(6, -0.9, has_end=False)]
    assert (choose_at_limit(SENTENCE, hypotheses, OPTIONS, 0.0, 0.0, [best + 0.9]) is not None) == is_chosen
