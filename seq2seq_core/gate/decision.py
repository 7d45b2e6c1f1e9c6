"""The decision on a challenger, with the evidence that it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from seq2seq_core.gate.paired_comparison import EQUAL, WORSE, Outcome, PairedComparison, compare
from seq2seq_core.gate.policy import Policy
from seq2seq_core.gate.refusals import baseline_refusals, main_refusals, rows_refusals, slice_refusals
from seq2seq_core.gate.scored_rows import ScoredRows
from seq2seq_core.gate.slice_comparison import Labels, SliceComparison, compare_slices
from seq2seq_core.gate.spending import level_of_look, spent_share
from seq2seq_core.gate.weak_slices import WeakSlice, find_weak_slices

FIRST: Literal["first"] = "first"


@dataclass(frozen=True)
class Evidence:
    """A decision and its evidence.

    Attributes:
        promotes: whether the challenger becomes the champion.
        outcome: of the comparison with the champion; ``first`` if there is none.
        summary: one sentence with the decision, the figures and every reason against.
        refusals: the reasons against; empty if it is promoted.
        look: the number of the comparison on this test set.
        looks: how many comparisons were made on it, this one included; more than ``look`` where this one was made before.
        level: its level.
        spent: the share of alpha that all these comparisons have spent.
        policy_digest: of the policy.
        num_rows: number of test rows.
        score: the challenger's score.
        main: the comparison with the champion.
        baselines: the comparison with each trivial baseline, by name.
        slices: the comparison on each slice.
        weak_slices: where the challenger is worse than on its other rows.
    """

    promotes: bool
    outcome: Outcome | Literal["first"]
    summary: str
    refusals: tuple[str, ...]
    look: int
    looks: int
    level: float
    spent: float
    policy_digest: str
    num_rows: int
    score: float
    main: PairedComparison | None
    baselines: dict[str, PairedComparison]
    slices: tuple[SliceComparison, ...]
    weak_slices: tuple[WeakSlice, ...]

    def as_json(self) -> dict[str, Any]:
        """All of it as values of JSON's types."""
        return asdict(self)


def decide(
    policy: Policy,
    challenger: ScoredRows,
    champion: ScoredRows | None,
    look: int,
    baselines: Mapping[str, ScoredRows] | None = None,
    labels: Labels | None = None,
    looks: int = 0,
) -> Evidence:
    """Decides whether the challenger takes the champion's place.

    It must be proved better than the champion and than the best baseline, both at the level of this look, and meet every other
    rule. A further rule can only prevent a promotion, so that the chance of a wrong one stays at most the level.

    Args:
        policy: what must be proved.
        challenger: the challenger on the test set.
        champion: the champion on the same rows; None where there was none.
        look: the number of this comparison among all on this test set, from 1.
        baselines: trivial baselines on the same rows, by name.
        labels: labels of the rows for slices, by column.
        looks: how many comparisons were made on this test set, where this one is an earlier one made again; else ``look`` of them.

    Raises:
        ValueError: a system has another metric or number of rows, or the look is below 1.
    """
    if challenger.metric.name != policy.metric:
        raise ValueError(f"expected scores by {policy.metric}, got {challenger.metric.name}")
    level, labels = level_of_look(policy.alpha, look), labels or {}
    main = None if champion is None else compare(champion, challenger, level, policy.margin, policy.effort)
    others = {name: compare(rows, challenger, level, effort=policy.effort) for name, rows in (baselines or {}).items()}
    slices: list[SliceComparison] = []
    if champion is not None:
        slices = compare_slices(champion, challenger, labels, policy.slice_rows, policy.alpha, policy.effort)
    refusals = (
        *rows_refusals(policy, challenger),
        *main_refusals(policy, main, look),
        *baseline_refusals(others, challenger.direction),
        *slice_refusals(policy, challenger, champion, labels, slices),
    )
    return Evidence(
        promotes=not refusals,
        outcome=FIRST if main is None else main.outcome,
        summary=_summarise(policy, challenger, main, refusals, look),
        refusals=refusals,
        look=look,
        looks=max(look, looks),
        level=level,
        spent=spent_share(max(look, looks)),
        policy_digest=policy.digest,
        num_rows=challenger.num_rows,
        score=challenger.score,
        main=main,
        baselines=others,
        slices=tuple(slices),
        weak_slices=tuple(find_weak_slices(challenger, labels, policy.slice_rows, policy.alpha)),
    )


def _summarise(policy: Policy, challenger: ScoredRows, main: PairedComparison | None, refusals: tuple[str, ...], look: int) -> str:
    verdict = "Not promoted" if refusals else "Promoted"
    return f"{verdict}: {'; '.join([_describe(policy, challenger, main, look), *refusals])}."


def _describe(policy: Policy, challenger: ScoredRows, main: PairedComparison | None, look: int) -> str:
    if main is None:
        return f"{policy.metric} {challenger.score:.4g} on {challenger.num_rows} rows, and there was no champion"
    gain, low, high = main.gain.value, main.gain.low, main.gain.high
    proof, p_value = {
        EQUAL: (f"worse by less than {main.margin:g}", main.p_within_margin),
        WORSE: ("worse", main.p_worse),
    }.get(main.outcome, ("better", main.p_better))
    return (
        f"{main.metric} {main.challenger.value:.4g} against the champion's {main.champion.value:.4g}, "
        f"a {'gain' if gain >= 0 else 'loss'} of {abs(gain):.3g} (95 % interval of the gain {low:.3g} to {high:.3g}); "
        f"that it is {proof} has p = {p_value:.2g}, and comparison {look} on this test set allows {main.level:.2g}"
    )
