"""The smallest gain that a test set shows, against simulated tests."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, norm

from seq2seq_core.gate.paired_comparison import compare
from seq2seq_core.gate.power import Spread, assumed_spread, chance_of_promotion, looks_until_renewal, smallest_gain, spread_of
from seq2seq_core.gate.scored_rows import score_rows
from seq2seq_core.gate.sign_flips import tails_of_sum
from seq2seq_core.gate.spending import level_of_look

RIGHT_OR_WRONG = Spread(0.1**0.5, True, 1.0, "pairs")
OF_BLEU = Spread(18.0, False, 100.0, "pairs")


@pytest.mark.parametrize("look", [1, 10])
def test_a_gain_of_the_stated_size_is_proved_as_often_as_stated(look: int) -> None:
    level, num_rows = level_of_look(0.05, look), 600
    gain = smallest_gain(num_rows, level, 0.8, RIGHT_OR_WRONG)
    assert gain is not None
    rng = np.random.default_rng(2)
    draws = rng.choice([1.0, -1.0, 0.0], p=[(0.1 + gain) / 2, (0.1 - gain) / 2, 0.9], size=(600, num_rows))
    proved = np.mean([tails_of_sum(rows, level, 0, 1).upper <= level for rows in draws])
    assert proved == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("level", [0.04, 1e-6])
@pytest.mark.parametrize("gain", [0.0, 0.02, 0.1, 0.3])
def test_the_power_is_that_of_scipys_distributions(gain: float, level: float) -> None:
    differing, counts = max(0.1, gain), np.arange(301)
    wins = binom.sf(binom.isf(level, counts, 0.5), counts, (1 + gain / differing) / 2)
    expected = (binom.pmf(counts, 300, differing) * wins).sum()
    assert chance_of_promotion(gain, 300, level, RIGHT_OR_WRONG) == pytest.approx(expected, abs=1e-8)
    error = 18 / 300**0.5
    expected = norm.sf((norm.isf(level) * (error**2 + (100 * gain) ** 2 / 300) ** 0.5 - 100 * gain) / error)
    assert chance_of_promotion(100 * gain, 300, level, OF_BLEU) == pytest.approx(expected)


@pytest.mark.parametrize("spread", [RIGHT_OR_WRONG, OF_BLEU])
def test_more_rows_and_earlier_looks_show_smaller_gains(spread: Spread) -> None:
    gains = [smallest_gain(rows, level_of_look(0.05, look), 0.8, spread) for rows, look in ((4000, 1), (1000, 1), (1000, 100))]
    assert None not in gains
    assert sorted(gain for gain in gains if gain is not None) == gains
    assert gains[1] == pytest.approx(2 * (gains[0] or 0), rel=0.2)


def test_two_rows_show_no_gain_at_all() -> None:
    assert smallest_gain(2, 0.03, 0.8, RIGHT_OR_WRONG) is None


def test_a_set_is_to_be_renewed_after_the_last_look_that_shows_the_gain() -> None:
    looks = looks_until_renewal(2.0, 2000, 0.05, 0.8, OF_BLEU)
    assert looks > 1
    before, after = (chance_of_promotion(2.0, 2000, level_of_look(0.05, look), OF_BLEU) for look in (looks, looks + 1))
    assert before >= 0.8 > after
    assert looks_until_renewal(0.1, 2000, 0.05, 0.8, OF_BLEU) == 0


def test_the_spread_of_right_and_wrong_rows_is_the_share_that_differs() -> None:
    champion, challenger = (score_rows("exact_match", list(texts), ["a"] * 10) for texts in ("aaaaabbbbb", "baaaabbaaa"))
    spread = spread_of([compare(champion, challenger, 0.03)])
    assert spread.deviation**2 == pytest.approx(0.4)
    assert (spread.is_binary, spread.scale, spread.source) == (True, 1.0, "pairs")


def test_without_pairs_the_metrics_usual_spread_is_assumed() -> None:
    assert assumed_spread("bleu") == Spread(15.0, False, 100.0, "assumed")
    assert assumed_spread("exact_match").is_binary


def test_equal_outputs_have_no_spread_and_any_gain_is_shown(references: list[str]) -> None:
    rows = score_rows("chrf", references, references)
    spread = spread_of([compare(rows, rows, 0.03)])
    assert spread.deviation == 0
    assert chance_of_promotion(1.0, 100, 0.01, spread) == 1.0
    assert chance_of_promotion(0.0, 100, 0.01, spread) == 0.0
