"""The reasons against a promotion, each as part of a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from seq2seq_core.gate.paired_comparison import BETTER, EQUAL, PairedComparison
from seq2seq_core.gate.policy import Policy
from seq2seq_core.gate.scored_rows import ScoredRows
from seq2seq_core.gate.slice_comparison import Labels, SliceComparison

NAMED_SLICES = 3
"""Slices on which a challenger is worse that a decision names; it counts the others."""


def rows_refusals(policy: Policy, challenger: ScoredRows) -> Iterator[str]:
    """What is wrong with the test set, or with the challenger's score on it.

    Args:
        policy: the policy.
        challenger: the challenger.
    """
    if challenger.num_rows < policy.minimum_rows:
        yield f"the test set has {challenger.num_rows} rows, and register.gate.minimum_rows asks for {policy.minimum_rows}"
    if not math.isfinite(challenger.score):
        yield f"its {policy.metric} is not a number"
    elif policy.minimum_score is not None and challenger.direction * (challenger.score - policy.minimum_score) < 0:
        yield f"{policy.metric} {challenger.score:.4g} misses the least score of {policy.minimum_score:g}"


def main_refusals(policy: Policy, main: PairedComparison | None, look: int) -> Iterator[str]:
    """What is missing in the comparison with the champion.

    Args:
        policy: the policy.
        main: the comparison; None: there was no champion.
        look: its number on this test set.
    """
    if main is None:
        return
    accepted = {BETTER, EQUAL} if policy.promotes_equal else {BETTER}
    if main.outcome not in accepted:
        if main.outcome == EQUAL:
            yield f"it is equal within {main.margin:g}, and the policy promotes only what is better"
        elif main.smallest_p > main.level and not policy.promotes_equal:
            yield f"only {main.num_differing} rows differ, too few to prove anything at comparison {look}"
        else:
            yield f"it is not proved {'no worse' if policy.promotes_equal else 'better'}"
    elif main.outcome == BETTER and main.gain.value < policy.minimum_gain:
        yield f"the gain is below the least gain of {policy.minimum_gain:g}"


def baseline_refusals(baselines: Mapping[str, PairedComparison], direction: float) -> Iterator[str]:
    """Whether the challenger is not proved better than the best baseline.

    Args:
        baselines: the comparison with each, by name.
        direction: 1 if a higher score is better, else -1.
    """
    if not baselines:
        return
    name, best = max(baselines.items(), key=lambda entry: direction * entry[1].champion.value)
    if best.outcome != BETTER:
        yield f"it is not proved better than the baseline {name} ({best.metric} {best.champion.value:.4g}, p = {best.p_better:.2g})"


def slice_refusals(
    policy: Policy, challenger: ScoredRows, champion: ScoredRows | None, labels: Labels, slices: Sequence[SliceComparison]
) -> Iterator[str]:
    """Slices that miss their floor, protected slices that fall, and slices on which the challenger is proved worse.

    Args:
        policy: the policy.
        challenger: the challenger.
        champion: the champion; None: there was none.
        labels: labels of the rows, by column.
        slices: the comparison on each slice.
    """
    named = [*policy.slice_floors, *policy.protected]
    rows = {name: np.asarray(labels.get(column, ())) == label for name in named for column, _, label in [name.partition("=")]}
    yield from (
        f"no test row is of the slice {name} that the policy names" for name in dict.fromkeys(named) if not rows[name].any()
    )
    for name, floor in policy.slice_floors.items():
        if rows[name].any() and challenger.direction * ((score := challenger.part(rows[name]).score) - floor) < 0:
            yield f"on {name} {policy.metric} {score:.4g} misses the floor of {floor:g}"
    for name in policy.protected:
        if champion is not None and rows[name].any():
            before, after = champion.part(rows[name]).score, challenger.part(rows[name]).score
            if challenger.direction * (after - before) < 0:
                yield f"on the protected slice {name} it falls from {before:.4g} to {after:.4g}"
    if policy.forbids_worse_slices:
        worse = sorted((one for one in slices if one.p_worse <= policy.alpha), key=lambda one: one.p_worse)
        yield from (f"it is worse on {one.name} (p = {one.p_worse:.2g})" for one in worse[:NAMED_SLICES])
        if len(worse) > NAMED_SLICES:
            yield f"it is worse on {len(worse) - NAMED_SLICES} of the {len(slices)} slices besides"
