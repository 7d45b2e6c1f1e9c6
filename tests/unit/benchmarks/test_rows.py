from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.measured.rows import ROWS
from benchmarks.measured.systems import System
from seq2seq_core.config.settings import parse_settings

SYSTEMS = {system.name: system for row in ROWS for system in row.systems}


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)
def test_the_settings_of_each_system_go_together(system: System, tmp_path: Path) -> None:
    values = replace(system, corpus="some_corpus").settings(tmp_path, tmp_path, 3)
    settings = parse_settings(values, system.config)
    assert (settings.train.seed, settings.corpus.path) == (3, str(tmp_path / "some_corpus"))


def test_a_name_is_of_one_row_and_of_one_system() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert all(SYSTEMS[system.name] == system for row in ROWS for system in row.systems)
