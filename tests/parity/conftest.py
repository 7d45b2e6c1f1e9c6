from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def seeded(fresh_seed: int) -> None:
    """What each test here draws follows from its seed."""
