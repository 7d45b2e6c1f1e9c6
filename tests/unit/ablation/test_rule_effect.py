"""The gain of a rule: how often it is shown where there is none, and where there is one."""

from __future__ import annotations

import numpy as np
import pytest

from seq2seq_core.ablation.rule_effect import RuleEffect, measure_effects
from seq2seq_core.gate.scored_rows import ScoredRows, score_rows

NUM_ROWS, SEEDS = 300, 3
OF_TRAININGS = 0.04
"""Standard deviation, between trainings, of the probability that a row is right."""


def outputs_of(chance: np.random.Generator, hardness: np.ndarray, rate: float, metric: str = "exact_match") -> list[ScoredRows]:
    """Several trainings of one variant; rows that are hard for one are hard for the others."""
    found = []
    for _ in range(SEEDS):
        right = hardness < rate + OF_TRAININGS * chance.standard_normal() + 0.1 * chance.standard_normal(NUM_ROWS)
        found.append(score_rows(metric, ["a" if one else "b" for one in right], ["a"] * NUM_ROWS))
    return found


def simulate(gains: tuple[float, ...], trials: int) -> list[list[RuleEffect]]:
    """The effects of variants that are worse by some gains, in many repetitions."""
    chance = np.random.default_rng(4)
    results = []
    for _ in range(trials):
        hardness = chance.random(NUM_ROWS)
        present = outputs_of(chance, hardness, 0.6)
        variants = {f"without {number}": outputs_of(chance, hardness, 0.6 - gain) for number, gain in enumerate(gains)}
        results.append(measure_effects(present, variants))
    return results


def test_rules_that_do_nothing_are_seldom_shown_to_help_or_hurt_and_those_that_help_mostly() -> None:
    null = simulate((0.0, 0.0), 100)
    wrong = sum(any(effect.verdict != "no difference shown" for effect in effects) for effects in null)
    assert wrong <= 0.05 * 100 + 2 * np.sqrt(0.05 * 0.95 * 100)
    covered = [effect.low <= 0 <= effect.high for effects in null for effect in effects]
    assert np.mean(covered) > 0.93
    found = simulate((0.2, 0.0), 40)
    assert np.mean([effects[0].verdict == "better as it is" for effects in found]) > 0.8
    assert np.mean([effects[1].verdict == "no difference shown" for effects in found]) > 0.9


def test_a_change_that_is_better_says_so_and_equal_outputs_differ_in_nothing() -> None:
    chance = np.random.default_rng(1)
    hardness = chance.random(NUM_ROWS)
    present = outputs_of(chance, hardness, 0.5)
    better, same = measure_effects(present, {"with x=1": outputs_of(chance, hardness, 0.9), "without y": present})
    assert (better.verdict, same.verdict) == ("the change is better", "no difference shown")
    assert better.high < 0
    assert better.gain == pytest.approx(better.present - better.variant)
    assert same.gain == 0.0
    assert same.p == pytest.approx(1.0)


def test_where_less_is_better_a_lower_score_is_a_gain() -> None:
    chance = np.random.default_rng(1)
    hardness = chance.random(NUM_ROWS)
    good, bad = (outputs_of(chance, hardness, rate, "cer") for rate in (0.9, 0.5))
    (effect,) = measure_effects(good, {"without x": bad})
    assert effect.present < effect.variant
    assert effect.verdict == "better as it is"
