"""Puts simulated and real challengers before the promotion gate's own code, and writes the figures into docs/gate.md.

    python benchmarks/gate.py                                      about ten minutes of one busy core
    python benchmarks/gate.py --trials 200 --lives 50              a quick look, without writing
    python benchmarks/gate.py --train --corpora FOLDER             trains the two real translators anew, then measures

The real pair are two trainings of one small recurrent translator on Multi30k, one of which stopped earlier
(benchmarks/measured/retrained_captions.py). Only the statistics of their outputs' rows are stored.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measured.gate_simulations import (
    BLEU,
    EXACT_MATCH,
    NUM_ROWS,
    Life,
    Pair,
    count_promotions,
    draw_equal_pairs,
    draw_pairs_with_gain,
    equal_but_unlike,
    exchange,
    live,
    resample,
)
from benchmarks.measured.retrained_captions import load_statistics, store_statistics
from seq2seq_core import atomic
from seq2seq_core.gate.confidence_sequence import watch_gain
from seq2seq_core.gate.decision import decide
from seq2seq_core.gate.paired_comparison import compare
from seq2seq_core.gate.policy import Policy
from seq2seq_core.gate.power import Spread, smallest_gain, spread_of
from seq2seq_core.gate.scored_rows import score_rows
from seq2seq_core.gate.spending import level_of_look, spent_share

ROOT = Path(__file__).resolve().parents[1]
PAGE, PICTURE = ROOT / "docs" / "gate.md", ROOT / "docs" / "pictures" / "gate_budget.svg"
START, END = "<!-- figures of benchmarks/gate.py -->", "<!-- end of figures -->"
TRIALS, LIVES, RETRAINS = 2000, 500, 100
REAL_GAIN = 2.0
DIFFERING = 0.08
"""The share of rows on which the simulated systems of quality 0.9 differ."""
HEAD = "| what | measured | must be | met |\n|---|---|---|---|\n"


@dataclass(frozen=True)
class Figure:
    """A line of the table.

    Attributes:
        what: what was measured.
        measured: the figure.
        bar: the bar; empty if there is none.
        is_met: whether it is met; None if there is none.
    """

    what: str
    measured: str
    bar: str = ""
    is_met: bool | None = None

    def as_row(self) -> str:
        """The line in Markdown."""
        met = {None: "–", True: "yes", False: "NO"}[self.is_met]
        return f"| {self.what} | {self.measured} | {self.bar or '–'} | {met} |"


def wrong_promotions(what: str, policy: Policy, pairs: Iterator[Pair], trials: int) -> Figure:
    """How often systems are promoted at the first look that should not be.

    Args:
        what: the systems.
        policy: the policy.
        pairs: as many as ``trials``.
        trials: number of pairs.
    """
    share, alpha = count_promotions(policy, pairs, 1) / trials, policy.alpha
    bar = alpha + 2 * np.sqrt(alpha * (1 - alpha) / trials)
    level = level_of_look(alpha, 1)
    return Figure(what, f"{share:.2%} (level of the first comparison: {level:.2%})", f"≤ {bar:.2%}", share <= bar)


def margins(pair: Pair, trials: int) -> Iterator[Figure]:
    """How often a system that is worse by just the margin is promoted as an equal.

    Args:
        pair: two real systems, the worse first.
        trials: number of test sets a figure.
    """
    exact, bleu = (replace(policy, margin=margin, promotes_equal=True) for policy, margin in ((EXACT_MATCH, 0.01), (BLEU, 1.0)))
    draws = draw_pairs_with_gain(-exact.margin, DIFFERING, trials, 3)
    yield wrong_promotions(f"worse by a margin of 1 point, exact match, {trials:,} pairs: promoted as equal", exact, draws, trials)
    draws = resample(exchange(pair, -bleu.margin, 3), 1000, trials, 4)
    yield wrong_promotions(f"worse by a margin of 1 BLEU, 1,000 rows, {trials:,} test sets: promoted as equal", bleu, draws, trials)


def growing_sets(runs: int) -> Figure:
    """How often a confidence sequence of equal systems is wrong at any number of rows.

    Args:
        runs: number of test sets.
    """
    wrong = 0
    for champion, challenger in draw_equal_pairs(runs, 5):
        found = watch_gain(champion, challenger, EXACT_MATCH.alpha / 2)
        wrong += bool((found.low > 0).any() or (found.high < 0).any())
    what = f"a test set that grows to {NUM_ROWS:,} rows, watched after every row: runs with a wrong bound"
    return Figure(what, f"{wrong / runs:.2%}", f"≤ {EXACT_MATCH.alpha:.0%}", wrong / runs <= EXACT_MATCH.alpha)


def lives(retrains: int, repetitions: int) -> Iterator[Figure]:
    """Whole lives of a test set with retrains of one quality.

    Args:
        retrains: number of retrains in a row.
        repetitions: number of lives.
    """
    found: list[Life] = [live(retrains, seed) for seed in range(repetitions)]
    share = float(np.mean([life.promotions > 0 for life in found]))
    what = f"{retrains} retrains of one quality in a row on one test set, {repetitions} times: runs with any promotion"
    yield Figure(what, f"{share:.2%}", f"≤ {EXACT_MATCH.alpha:.0%}", share <= EXACT_MATCH.alpha)
    naive, excess = (float(np.mean([getattr(life, name) for life in found])) for name in ("naive_promotions", "naive_excess"))
    yield Figure("the same by the rule “the higher score wins”: promotions a run", f"{naive:.1f}")
    yield Figure("… and the last champion's score above the truth", f"{100 * excess:.2f} points")


def real_pair(pair: Pair, trials: int) -> Iterator[Figure]:
    """How often a system that is better by ``REAL_GAIN`` is promoted.

    Args:
        pair: two real systems, the worse first.
        trials: number of test sets a figure.
    """
    gain = pair[1].score - pair[0].score
    yield Figure("BLEU of the two real translators", f"{pair[0].score:.2f} and {pair[1].score:.2f} on {pair[0].num_rows} rows")
    two = exchange(pair, REAL_GAIN, 1) if gain > REAL_GAIN else pair
    for num_rows, look, bar in ((2014, 1, 0.95), (1000, 1, None), (2014, 10, None), (2014, 100, None), (1000, 100, None)):
        share = count_promotions(BLEU, resample(two, num_rows, trials, look), look) / trials
        what = f"better by {two[1].score - two[0].score:.2f} BLEU, {num_rows:,} rows, comparison {look}: promoted"
        yield Figure(what, f"{share:.1%}", "" if bar is None else f"≥ {bar:.0%}", None if bar is None else share >= bar)


def smallest_gains(pair: Pair, trials: int) -> Iterator[Figure]:
    """Whether the stated smallest gains are right within 20 %: power below 80 % at 0.8 of them, above it at 1.2.

    Args:
        pair: two real systems, the worse first.
        trials: number of test sets a figure.
    """
    exact = Spread(DIFFERING**0.5, True, 1.0, "pairs")
    for look in (1, 10, 100):
        gain = _stated(EXACT_MATCH, NUM_ROWS, look, exact)
        draws = [draw_pairs_with_gain(factor * gain, DIFFERING, trials, look) for factor in (0.8, 1.0, 1.2)]
        what = f"exact match, {NUM_ROWS:,} rows, comparison {look}: {100 * gain:.2f} points"
        yield _within(what, EXACT_MATCH, draws, trials, look)
    for look in (1, 10):
        gain = _stated(BLEU, 2014, look, spread_of([compare(*pair, level_of_look(BLEU.alpha, 1), effort=BLEU.effort)]))
        draws = [resample(exchange(pair, factor * gain, look), 2014, trials, look) for factor in (0.8, 1.0, 1.2)]
        yield _within(f"BLEU, 2,014 rows, comparison {look}: {gain:.2f}", BLEU, draws, trials, look)


def _stated(policy: Policy, num_rows: int, look: int, spread: Spread) -> float:
    gain = smallest_gain(num_rows, level_of_look(policy.alpha, look), policy.power, spread)
    assert gain is not None
    return gain


def _within(what: str, policy: Policy, draws: list[Iterator[Pair]], trials: int, look: int) -> Figure:
    low, middle, high = (count_promotions(policy, pairs, look) / trials for pairs in draws)
    measured = f"{middle:.0%} promoted; {low:.0%} at 0.8 of it, {high:.0%} at 1.2"
    return Figure(f"stated smallest gain of {what}", measured, "80 % within 20 % of it", low < policy.power < high)


def decision_seconds() -> Figure:
    """The time of one decision on 1,200 rows by BLEU, from texts, with the default number of draws."""
    rng = np.random.default_rng(1)
    words = np.array([f"word{number}" for number in range(500)])
    references = [" ".join(rng.choice(words, size=rng.integers(5, 25))) for _ in range(1200)]
    texts = [[" ".join(w if rng.random() > share else "x" for w in row.split()) for row in references] for share in (0.3, 0.28)]
    start = time.perf_counter()
    champion, challenger = (score_rows("bleu", one, references) for one in texts)
    decide(Policy("bleu"), challenger, champion, 1)
    return Figure("one decision by BLEU on 1,200 rows, from texts", f"{time.perf_counter() - start:.1f} s", "a few seconds")


def draw_budget(path: Path, spread: Spread) -> None:
    """Draws the spent budget, and the smallest gain that is left, by the number of comparisons.

    Args:
        path: the picture's file.
        spread: of the rows' exact match.
    """
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    mpl.rcParams.update({"svg.hashsalt": "gate", "svg.fonttype": "none"})
    looks = np.arange(1, RETRAINS + 1)
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    left.step(looks, [100 * spent_share(int(look)) for look in looks], where="post")
    left.set(title="Budget spent", xlabel="comparisons on one test set", ylabel="share of alpha, %", ylim=(0, 102))
    for num_rows in (500, NUM_ROWS, 5000):
        gains = [100 * _stated(EXACT_MATCH, num_rows, int(look), spread) for look in looks]
        right.plot(looks, gains, label=f"{num_rows:,} rows")
    right.set(title="Smallest gain shown with 80 % power", xlabel="comparison", ylabel="exact match, points", ylim=(0, 9))
    right.legend(ncols=3, fontsize="small", loc="upper center")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(path, metadata={"Date": None})


def measure(trials: int, repetitions: int) -> Iterator[Figure]:
    """All figures.

    Args:
        trials: number of pairs of equal systems; other figures take a fifth of it.
        repetitions: number of lives of a test set.
    """
    pair = load_statistics()
    drawn = draw_equal_pairs(trials, 1)
    yield wrong_promotions(f"equal systems, exact match, {NUM_ROWS:,} rows, {trials:,} pairs: promoted", EXACT_MATCH, drawn, trials)
    unlike = resample(equal_but_unlike(pair), 1000, trials, 2)
    yield wrong_promotions(f"equal but unlike systems, BLEU, 1,000 rows, {trials:,} test sets: promoted", BLEU, unlike, trials)
    fifth = max(1, trials // 5)
    yield from margins(pair, trials)
    yield from lives(RETRAINS, repetitions)
    yield from real_pair(pair, fifth)
    yield from smallest_gains(pair, fifth)
    yield growing_sets(fifth)
    yield decision_seconds()


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--lives", type=int, default=LIVES)
    parser.add_argument("--train", action="store_true", help="train the real pair anew")
    parser.add_argument("--corpora", type=Path, default=ROOT.parent / "shared" / "corpora")
    parser.add_argument("--work", type=Path, default=ROOT / ".s2s" / "gate")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    if asked.train:
        store_statistics(asked.corpora, asked.work, asked.threads)
    rows, start = [], time.perf_counter()
    for figure in measure(asked.trials, asked.lives):
        rows.append(figure.as_row())
        print(rows[-1], f" {time.perf_counter() - start:.0f} s", flush=True)
    if (asked.trials, asked.lives) == (TRIALS, LIVES):
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
        table = HEAD + "\n".join(rows)
        atomic.write_text(PAGE, f"{before}{START}\n\n{table}\n\n{END}{rest.partition(END)[2]}")
        draw_budget(PICTURE, Spread(DIFFERING**0.5, True, 1.0, "pairs"))


if __name__ == "__main__":
    main()
