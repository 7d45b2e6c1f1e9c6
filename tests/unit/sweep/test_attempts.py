from __future__ import annotations

from pathlib import Path

from seq2seq_core.sweep.attempts import ATTEMPT_FILE, open_attempt


def die(folder: Path, step: int) -> int:
    """An attempt whose process is killed; how many deaths it was told of."""
    with open_attempt(folder, step) as deaths:
        left = (folder / ATTEMPT_FILE).read_text()
    (folder / ATTEMPT_FILE).write_text(left)
    return deaths


def test_deaths_count_while_no_checkpoint_gets_further(tmp_path: Path) -> None:
    assert [die(tmp_path, step) for step in (0, 0, 0, 4, 4, 4)] == [0, 1, 2, 0, 1, 2]


def test_an_attempt_that_ended_in_any_other_way_begins_the_count_anew(tmp_path: Path) -> None:
    assert [die(tmp_path, 0), die(tmp_path, 0)] == [0, 1]
    try:
        with open_attempt(tmp_path, 0) as deaths:
            assert deaths == 2
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert die(tmp_path, 0) == 0


def test_a_note_that_a_power_failure_left_empty_counts_for_nothing(tmp_path: Path) -> None:
    (tmp_path / ATTEMPT_FILE).write_text("")
    assert die(tmp_path, 0) == 0
