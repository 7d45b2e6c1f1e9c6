"""Scaling of the loss for float16, whose gradients would vanish below 6e-8 (Micikevicius 2018, section 3.2)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

GROWS_AFTER = 2000
"""Updates in a row without an overflow after which the factor is doubled."""
LEAST = 2.0**-10
"""The smallest useful factor: below it the gradients themselves are not finite."""


class LossScale(BaseModel):
    """The factor on the loss; the gradient is divided by it again. Part of the training state."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    factor: float = 2.0**16
    """A power of 2, so that the division is exact."""
    num_good: int = 0
    """Updates since the last change of the factor."""

    def after_update(self, was_applied: bool) -> LossScale:
        """The factor for the next update.

        Args:
            was_applied: whether the gradient was finite; otherwise the update was skipped.
        """
        if not was_applied:
            return LossScale(factor=self.factor / 2)
        if self.num_good + 1 == GROWS_AFTER:
            return LossScale(factor=self.factor * 2)
        return LossScale(factor=self.factor, num_good=self.num_good + 1)
