"""Decisions on challengers: each rule by a challenger that breaks it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from seq2seq_core.gate.decision import Evidence, decide
from seq2seq_core.gate.paired_comparison import Effort
from seq2seq_core.gate.policy import Policy, look_ahead
from seq2seq_core.gate.power import Spread
from seq2seq_core.gate.scored_rows import ScoredRows, score_rows

FEW = Effort(draws=500, resamples=200)
POLICY = Policy("exact_match", effort=FEW)
DOMAINS = {"domain": ["chat"] * 50 + ["news"] * 150}


def system(chat: int, news: int, num_news: int = 150) -> ScoredRows:
    """A system that is right on so many of 50 rows of chat and of the rows of news."""
    right = [row < chat for row in range(50)] + [row < news for row in range(num_news)]
    return score_rows("exact_match", ["a" if is_right else "b" for is_right in right], ["a"] * len(right))


CHAMPION, BETTER = system(25, 75), system(40, 110)


def against(challenger: ScoredRows, look: int = 1, **changes: Any) -> Evidence:
    """The decision on a challenger of the champion, with some rules changed."""
    return decide(replace(POLICY, **changes), challenger, CHAMPION, look, labels=DOMAINS)


def test_a_better_challenger_is_promoted_and_the_sentence_says_why() -> None:
    found = against(BETTER)
    assert found.promotes
    assert found.summary == (
        "Promoted: exact_match 0.75 against the champion's 0.5, a gain of 0.25 (95 % interval of the gain 0.19 to 0.305); "
        "that it is better has p = 8.9e-16, and comparison 1 on this test set allows 0.03."
    )
    assert (found.outcome, found.look, found.refusals) == ("better", 1, ())


def test_a_gain_that_luck_explains_is_not_promoted() -> None:
    found = against(system(26, 77))
    assert (found.promotes, found.outcome) == (False, "undecided")
    assert found.refusals == ("only 3 rows differ, too few to prove anything at comparison 1",)


def test_what_suffices_at_the_first_look_does_not_at_the_hundredth() -> None:
    challenger = system(28, 82)
    assert against(challenger).promotes
    late = against(challenger, look=100)
    assert late.refusals == ("only 10 rows differ, too few to prove anything at comparison 100",)
    assert late.spent > 0.99


@pytest.mark.parametrize(
    ("challenger", "changes", "refusal"),
    [
        (BETTER, {"minimum_rows": 201}, "the test set has 200 rows, and register.gate.minimum_rows asks for 201"),
        (BETTER, {"minimum_score": 0.8}, "exact_match 0.75 misses the least score of 0.8"),
        (BETTER, {"minimum_gain": 0.3}, "the gain is below the least gain of 0.3"),
        (BETTER, {"slice_floors": {"domain=news": 0.74}}, "on domain=news exact_match 0.7333 misses the floor of 0.74"),
        (BETTER, {"slice_floors": {"domain=law": 0.1}}, "no test row is of the slice domain=law that the policy names"),
        (system(24, 110), {"protected": ("domain=chat",)}, "on the protected slice domain=chat it falls from 0.5 to 0.48"),
        (system(10, 130), {}, "it is worse on domain=chat (p = 6.1e-05)"),
        (system(0, 75), {"forbids_worse_slices": False}, "it is not proved better"),
    ],
)
def test_one_broken_rule_is_enough_and_is_named(challenger: ScoredRows, changes: dict[str, Any], refusal: str) -> None:
    found = against(challenger, **changes)
    assert found.refusals == (refusal,)
    assert not found.promotes
    assert found.summary.startswith("Not promoted: exact_match ")
    assert found.summary.endswith(f"; {refusal}.")


def test_a_first_champion_needs_no_predecessor_but_beats_the_baselines() -> None:
    baselines = {"copy_source": system(20, 60), "memorise_else_copy": system(40, 109)}
    found = decide(POLICY, BETTER, None, 1, baselines)
    assert found.refusals == ("it is not proved better than the baseline memorise_else_copy (exact_match 0.745, p = 0.5)",)
    assert found.outcome == "first"
    alone = decide(POLICY, BETTER, None, 1, {"copy_source": system(20, 60)})
    assert alone.promotes
    assert alone.summary == "Promoted: exact_match 0.75 on 200 rows, and there was no champion."


def test_an_equal_challenger_is_promoted_only_where_the_policy_says_so() -> None:
    equal = system(25, 74)
    refused = against(equal, margin=0.1)
    assert (refused.outcome, refused.promotes) == ("equal", False)
    assert refused.refusals == ("it is equal within 0.1, and the policy promotes only what is better",)
    accepted = against(equal, margin=0.1, promotes_equal=True)
    assert (accepted.outcome, accepted.promotes) == ("equal", True)
    assert "worse by less than 0.1" in accepted.summary


def test_for_an_error_rate_the_lower_score_is_the_better() -> None:
    references = [f"{row} b c d" for row in range(120)]
    champion = score_rows("wer", [f"{row} b x d" for row in range(120)], references)
    challenger = score_rows("wer", references, references)
    policy = Policy("wer", minimum_score=0.1, effort=FEW)
    assert decide(policy, challenger, champion, 1, {"copy": champion}).promotes
    assert "wer 0.25 misses the least score of 0.1" in decide(policy, champion, challenger, 1).refusals


def test_a_test_set_of_one_row_promotes_nothing() -> None:
    right, wrong = (score_rows("exact_match", [text], ["a"]) for text in "ab")
    found = decide(POLICY, right, wrong, 1)
    assert found.refusals == (
        "the test set has 1 rows, and register.gate.minimum_rows asks for 100",
        "only 1 rows differ, too few to prove anything at comparison 1",
    )


def test_the_evidence_is_json_and_the_same_for_the_same_seed() -> None:
    first, second = against(BETTER), against(BETTER)
    assert json.loads(json.dumps(first.as_json())) == json.loads(json.dumps(second.as_json()))
    assert first.as_json()["main"]["gain"]["value"] == 0.25


def test_another_rule_is_another_digest() -> None:
    assert POLICY.digest == Policy("exact_match", effort=FEW).digest
    others = [replace(POLICY, alpha=0.01), replace(POLICY, slice_floors={"a=b": 1.0}), replace(POLICY, effort=Effort(seed=2))]
    assert len({POLICY.digest, *(policy.digest for policy in others)}) == 4


def test_rules_that_make_no_sense_and_other_metrics_are_refused() -> None:
    with pytest.raises(ValueError, match=r"alpha and power between 0 and 1, got 0 and 0\.8"):
        Policy("bleu", alpha=0.0)
    with pytest.raises(ValueError, match="above it where equals are promoted, got 0"):
        Policy("bleu", promotes_equal=True)
    with pytest.raises(ValueError, match="expected scores by bleu, got exact_match"):
        decide(Policy("bleu"), BETTER, None, 1)


def test_the_outlook_names_the_smallest_gain_and_when_to_renew_the_set() -> None:
    policy = Policy("exact_match", wanted_gain=0.04)
    spread = Spread(0.1**0.5, True, 1.0, "pairs")
    found = look_ahead(policy, 1190, 2, spread)
    assert found.sentence == (
        "Comparison 2 on this test set of 1190 rows proves a gain of 0.0304 exact_match with a chance of 80%; a smaller gain is "
        "likely to be missed (variation of rows measured on stored pairs of outputs). 10 more comparisons show a gain of 0.04; "
        "then renew the test set. 76% of alpha is spent with this comparison."
    )
    late = look_ahead(policy, 1190, 50, replace(spread, source="assumed"))
    assert late.looks_left == 0
    assert "assumed, as no pair of outputs is stored yet" in late.sentence
    assert "It is too weak for a gain of 0.04: renew or enlarge the test set." in late.sentence
    assert look_ahead(policy, 3, 1, spread).smallest_gain is None


def test_a_decision_names_the_worst_slices_and_counts_the_others() -> None:
    labels = {"part": [str(row // 40) for row in range(200)]}
    champion, challenger = (score_rows("exact_match", [text] * 200, ["a"] * 200) for text in ("a", "b"))
    found = decide(POLICY, challenger, champion, 1, labels=labels)
    about_slices = [refusal for refusal in found.refusals if refusal.startswith("it is worse on")]
    assert [refusal.partition(" (")[0] for refusal in about_slices] == [
        "it is worse on part=0", "it is worse on part=1", "it is worse on part=2", "it is worse on 2 of the 5 slices besides",
    ]  # fmt: skip
