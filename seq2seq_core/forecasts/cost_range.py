"""A quantity that is not known exactly: the least, the expected and the most that it can be."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict


class CostRange(BaseModel):
    """An interval with its middle.

    Attributes:
        low: the least.
        mid: what is expected.
        high: the most.
    """

    model_config = ConfigDict(frozen=True)

    low: float
    mid: float
    high: float

    @classmethod
    def around(cls, value: float, share: float) -> CostRange:
        """The range of a measured value.

        Args:
            value: what was measured.
            share: by how much it may be wrong, as a share of it.
        """
        return cls(low=value * (1 - share), mid=value, high=value * (1 + share))

    @classmethod
    def total(cls, ranges: Iterable[CostRange]) -> CostRange:
        """The sum of ranges, whose errors may all have the same sign.

        Args:
            ranges: to add up.
        """
        found = list(ranges)
        return cls(low=sum(one.low for one in found), mid=sum(one.mid for one in found), high=sum(one.high for one in found))

    def __add__(self, other: CostRange) -> CostRange:
        return CostRange.total((self, other))

    def times(self, factor: float) -> CostRange:
        """The range of a multiple.

        Args:
            factor: 0 or more.
        """
        return CostRange(low=self.low * factor, mid=self.mid * factor, high=self.high * factor)

    def contains(self, value: float) -> bool:
        """Whether a value is in the range, its ends included.

        Args:
            value: in the same unit.
        """
        return self.low <= value <= self.high


NOTHING = CostRange(low=0.0, mid=0.0, high=0.0)
"""No cost."""
