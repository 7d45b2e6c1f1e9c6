"""Blocks by their known ends are those that the lines alone give, whatever was done to the file since."""

from __future__ import annotations

import io
import random
from pathlib import Path
from unittest.mock import Mock

import pytest

from seq2seq_core.encoding import known_blocks
from seq2seq_core.encoding.block_encoding import block_key
from seq2seq_core.encoding.known_blocks import iterate_prepared_blocks
from seq2seq_core.tokenization import line_blocks
from seq2seq_core.tokenization.kept_arrays import KeptArrays
from seq2seq_core.tokenization.line_blocks import iterate_line_blocks

CHANGES = 60


def change(lines: list[bytes], chance: random.Random) -> list[bytes]:
    """The lines with some of them added, removed, exchanged or cut, at one place; or without a last line end."""
    start = chance.randrange(len(lines) + 1)
    end = min(len(lines), start + chance.randrange(6))
    new = [b"new %d\n" % chance.randrange(1000) for _ in range(chance.randrange(6))]
    changed = chance.choice(
        [
            lines[:start] + new + lines[end:],
            lines + new,
            lines[end:] + lines[:end],
            lines[:start] + lines[start : start + 40] + lines[start:],
            [*lines[:-1], b"no line end"],
        ]
    )
    return io.BytesIO(b"".join(changed or [b"\n"])).readlines()


def test_any_change_of_a_file_leaves_the_blocks_that_its_lines_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_random: random.Random
) -> None:
    chance = fresh_random
    monkeypatch.setattr(line_blocks, "ENDING_LINES", 12)
    monkeypatch.setattr(line_blocks, "MOST_LINES", 30)
    path, store = tmp_path / "train.jsonl", KeptArrays(tmp_path / "kept")
    lines = [b"line %d\n" % chance.randrange(10**6) for _ in range(200)]
    for _ in range(CHANGES):
        path.write_bytes(b"".join(lines))
        found = list(iterate_prepared_blocks(path, "key", store))
        expected = list(iterate_line_blocks(lines))
        assert [block.lines() for block in found] == expected
        assert [block.key for block in found] == [block_key("key", block) for block in expected]
        assert [block.num_lines for block in found] == list(map(len, expected))
        assert [block.first for block in found] == [1 + sum(map(len, expected[:place])) for place in range(len(expected))]
        lines = change(lines, chance) if chance.random() < 0.8 else lines


def test_only_the_block_that_grows_is_looked_at_line_by_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_blocks, "ENDING_LINES", 12)
    path, store, lines = tmp_path / "train.jsonl", KeptArrays(tmp_path / "kept"), [b"line %d\n" % place for place in range(500)]
    looked_at = Mock(side_effect=iterate_line_blocks)
    monkeypatch.setattr(known_blocks, "iterate_line_blocks", looked_at)
    path.write_bytes(b"".join(lines))
    first = list(iterate_prepared_blocks(path, "key", store))
    assert looked_at.call_count == len(first) + 1 > 20  # the last call finds the end
    looked_at.reset_mock()
    path.write_bytes(b"".join([*lines, b"one more\n"]))
    assert len(list(iterate_prepared_blocks(path, "key", store))) >= len(first)
    assert looked_at.call_count <= 3
