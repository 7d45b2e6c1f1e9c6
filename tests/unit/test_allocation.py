from __future__ import annotations

import gc

import pytest

from seq2seq_core.allocation import count_cores, uncollected_imports


def test_what_exists_at_the_start_of_a_stage_is_not_searched_until_it_ends() -> None:
    before = gc.get_freeze_count()
    with pytest.raises(ValueError, match="the stage"), uncollected_imports():
        inside = gc.get_freeze_count()
        raise ValueError("the stage")
    assert inside > before + 1000
    assert gc.get_freeze_count() == 0


def test_there_is_a_core_to_use() -> None:
    assert count_cores() >= 1
