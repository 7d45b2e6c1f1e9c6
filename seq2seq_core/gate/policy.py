"""The policy of promotion, and what it lets expect of a test set before a challenger is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property

from seq2seq_core.gate.paired_comparison import DEFAULT_EFFORT, Effort
from seq2seq_core.gate.power import PAIRS, Spread, looks_until_renewal, smallest_gain
from seq2seq_core.gate.spending import level_of_look, spent_share
from seq2seq_core.reproducibility import digest


@dataclass(frozen=True)
class Policy:
    """What a challenger must prove.

    Attributes:
        metric: the name of the metric that decides.
        alpha: the most that the chance of a wrong promotion may be over the life of a test set.
        margin: a loss below it does not matter, in the metric's unit; 0: there is no outcome ``equal``.
        promotes_equal: whether a challenger that is proved to be worse by less than the margin is promoted.
        minimum_gain: the smallest gain on the test set itself, beside its proof.
        minimum_score: the score that the challenger must reach; None: any.
        minimum_rows: the fewest test rows with which anything is promoted.
        power: the chance with which the stated smallest gain is proved.
        wanted_gain: the gain that the test set should be able to show; the set is to be renewed once it cannot. None: no advice.
        slice_floors: by ``column=label``, the score that the challenger must reach there.
        protected: slices, ``column=label``, on which the challenger's score may not be below the champion's.
        forbids_worse_slices: whether a slice on which the challenger is proved worse stops the promotion.
        slice_rows: the fewest rows of a slice that is compared; floors and protected slices count with any number.
        effort: the number of random draws.
    """

    metric: str
    alpha: float = 0.05
    margin: float = 0.0
    promotes_equal: bool = False
    minimum_gain: float = 0.0
    minimum_score: float | None = None
    minimum_rows: int = 100
    power: float = 0.8
    wanted_gain: float | None = None
    slice_floors: Mapping[str, float] = field(default_factory=dict)
    protected: tuple[str, ...] = ()
    forbids_worse_slices: bool = True
    slice_rows: int = 30
    effort: Effort = DEFAULT_EFFORT

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1 or not 0 < self.power < 1:
            raise ValueError(f"expected alpha and power between 0 and 1, got {self.alpha:g} and {self.power:g}")
        if self.margin < 0 or (self.promotes_equal and self.margin == 0):
            raise ValueError(f"expected a margin of at least 0, and above it where equals are promoted, got {self.margin:g}")

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all of it: two decisions with the same digest went by the same rules."""
        return digest(asdict(self))


@dataclass(frozen=True)
class Outlook:
    """What the next comparison on a test set can show.

    Attributes:
        look: its number on this test set.
        level: its level.
        spent: the share of alpha that it and those before spend.
        smallest_gain: the smallest true gain that it proves with the policy's power; None: no gain.
        spread: the variation of gains that this rests on.
        looks_left: further comparisons, this one included, that still show ``wanted_gain``; None: the policy names none.
        sentence: all of it in plain English.
    """

    look: int
    level: float
    spent: float
    smallest_gain: float | None
    spread: Spread
    looks_left: int | None
    sentence: str


def look_ahead(policy: Policy, num_rows: int, look: int, spread: Spread) -> Outlook:
    """What the next comparison can show, known before the challenger is trained.

    Args:
        policy: the policy.
        num_rows: number of test rows.
        look: the number of the comparison on this test set, from 1.
        spread: of the gains of rows.
    """
    level = level_of_look(policy.alpha, look)
    gain = smallest_gain(num_rows, level, policy.power, spread)
    left = None
    if policy.wanted_gain is not None:
        left = max(0, looks_until_renewal(policy.wanted_gain, num_rows, policy.alpha, policy.power, spread) - look + 1)
    spent = spent_share(look)
    sentence = _describe_gain(policy, num_rows, look, gain, spread) + _describe_renewal(policy, left)
    return Outlook(look, level, spent, gain, spread, left, f"{sentence} {spent:.0%} of alpha is spent with this comparison.")


def _describe_gain(policy: Policy, num_rows: int, look: int, gain: float | None, spread: Spread) -> str:
    basis = "measured on stored pairs of outputs" if spread.source == PAIRS else "assumed, as no pair of outputs is stored yet"
    if gain is None:
        return f"Comparison {look} on this test set of {num_rows} rows cannot prove any gain of {policy.metric}."
    return (
        f"Comparison {look} on this test set of {num_rows} rows proves a gain of {gain:.3g} {policy.metric} with a chance of "
        f"{policy.power:.0%}; a smaller gain is likely to be missed (variation of rows {basis})."
    )


def _describe_renewal(policy: Policy, left: int | None) -> str:
    if left is None:
        return ""
    if left == 0:
        return f" It is too weak for a gain of {policy.wanted_gain:g}: renew or enlarge the test set."
    return f" {left} more comparisons show a gain of {policy.wanted_gain:g}; then renew the test set."
