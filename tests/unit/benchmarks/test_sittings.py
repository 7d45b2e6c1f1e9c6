from __future__ import annotations

import time
from pathlib import Path

import pytest

from benchmarks.measured.sittings import seconds_of_sittings, sitting


def test_interrupted_sittings_add_up_and_those_of_other_work_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    path = tmp_path / "seconds.json"
    with pytest.raises(KeyboardInterrupt), sitting(path, "a"):
        clock[0] += 30
        raise KeyboardInterrupt
    clock[0] += 500
    with sitting(path, "a"):
        clock[0] += 12
    assert seconds_of_sittings(path, "a") == 42
    assert seconds_of_sittings(path, "b") == 0
    with sitting(path, "b"):
        clock[0] += 7
    assert seconds_of_sittings(path, "b") == 7
