from __future__ import annotations

import gc

import pytest

from seq2seq_core.allocation import count_cores, uncollected_imports, uncollected_loading


def test_what_exists_at_the_start_of_a_stage_is_not_searched_until_it_ends() -> None:
    before, objects = gc.get_freeze_count(), [list[int]() for _ in range(1000)]
    with pytest.raises(ValueError, match="the stage"), uncollected_imports():
        inside = gc.get_freeze_count()
        raise ValueError("the stage")
    assert inside >= before + len(objects)
    assert gc.get_freeze_count() == 0


def test_nothing_looks_for_garbage_while_libraries_load() -> None:
    with pytest.raises(ValueError, match="a library"), uncollected_loading():
        inside = gc.isenabled()
        raise ValueError("a library")
    assert not inside
    assert gc.isenabled()


def test_there_is_a_core_to_use() -> None:
    assert count_cores() >= 1
