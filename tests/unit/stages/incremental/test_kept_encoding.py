"""Tokenising with a kept vocabulary: what an earlier run has encoded is not encoded again, and changes no byte."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import parse_settings
from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.corpus.pairs import iterate_sentences
from seq2seq_core.encoding import block_encoding, kept_encoding
from seq2seq_core.encoding.kept_encoding import KeptEncoding
from seq2seq_core.errors import CorpusError
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages import tokenize as stage
from seq2seq_core.tokenization import line_blocks
from seq2seq_core.tokenization.encode import PairChunk, Tokenizers, encode_pairs, encode_sentences
from seq2seq_core.tokenization.flat_rows import FlatRows
from seq2seq_core.tokenization.kept_arrays import KeptArrays
from seq2seq_core.tokenization.line_blocks import iterate_line_blocks
from seq2seq_core.tokenization.subword import train_subword
from seq2seq_core.tokenization.tags import TagColumns
from tests.prepared_processes import CONTEXT, run_at_once

Rows = list[dict[str, str]]
NUM_PAIRS = 600


@pytest.fixture
def paths(tmp_path: Path, make_bundle: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A workspace with a prepared corpus and, in data/base, a model whose vocabulary can be kept; blocks have some 20 lines."""
    monkeypatch.setattr(line_blocks, "ENDING_LINES", 20)
    paths = Paths(tmp_path / "workspace")
    make_bundle(paths, tags=TagColumns(source=("language",)))
    paths.served.rename(paths.root / "data" / "base")
    write(paths, rows(NUM_PAIRS))
    return paths


def rows(number: int, seed: int = 1) -> Rows:
    chance = random.Random(seed)
    return [
        {
            "source": f"{chance.randrange(40)} May {chance.randrange(3000)}" + " x" * chance.randrange(9),
            "target": f"{place}-{chance.randrange(40)}",
            "language": chance.choice(["de", "en"]),
        }
        for place in range(number)
    ]


def write(paths: Paths, train: Rows) -> None:
    for split, pairs in (("train", train), ("dev", rows(90, seed=2)), ("test", rows(50, seed=3))):
        paths.prepared_split(split).write_text("".join(f"{json.dumps(pair)}\n" for pair in pairs), encoding="utf-8")


def run(paths: Paths, **tokenize: Any) -> dict[str, str]:
    """The digests of what a run writes."""
    sections = {
        "corpus": {"path": "x", "files": {"train": ["train.tsv"]}},
        "tokenize": {
            "vocabulary": "data/base", "source": {"model": "char"}, "target": {"model": "char"}, "source_tags": ["language"],
            "group_columns": ["language"], "max_source_tokens": 20, "max_uncovered_fraction": 1.0,
            "max_unknown_target_fraction": 1.0,
        } | tokenize,
        "register": {"model_name": "m"},
        "runtime": {"progress": "plain"},
    }  # fmt: skip
    stage.run_tokenize(parse_settings(sections, "test"), paths, NullRecorder())
    written = [*paths.tokenized.iterdir(), paths.tokenize_report, paths.corpus_profile]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in written}


def run_alone(paths: Paths, **tokenize: Any) -> dict[str, str]:
    """What a run writes that encodes all pairs in their order and keeps nothing."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(stage, "open_kept_encoding", lambda *_: None)
        return run(paths, **tokenize)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pairs each call has encoded."""
    counts: list[int] = []

    def count(chunk: PairChunk, *others: Any) -> Any:
        counts.append(len(chunk.targets))
        return encode_pairs(chunk, *others)

    monkeypatch.setattr(block_encoding, "encode_pairs", count)
    return counts


@pytest.mark.parametrize("tokenize", [{}, {"long_source": "truncate"}, {"group_columns": [], "max_target_tokens": 6}], ids=str)
def test_blocks_change_no_byte_whether_they_are_new_or_kept(paths: Paths, tokenize: dict[str, Any], encoded: list[int]) -> None:
    expected = run_alone(paths, **tokenize)
    assert not encoded
    assert run(paths, **tokenize) == expected
    assert sum(encoded) == NUM_PAIRS + 50 + (0 if "group_columns" not in tokenize else 90)  # dev alternates between groups
    encoded.clear()
    assert run(paths, **tokenize) == expected
    assert not encoded


def test_rows_behind_and_between_are_encoded_with_their_blocks_alone(paths: Paths, encoded: list[int]) -> None:
    run(paths)
    encoded.clear()
    first = rows(NUM_PAIRS)
    write(paths, [*first[:300], *rows(3, seed=4), *first[300:], *rows(6, seed=5)])
    assert run(paths) == run_alone(paths)
    assert 9 <= sum(encoded) < 200
    assert run(paths)["train.source.values.npy"] != run(paths, source_tags=[])["train.source.values.npy"]


def test_what_is_kept_is_bounded_and_may_be_damaged_or_deleted(paths: Paths, encoded: list[int]) -> None:
    expected = run(paths)
    entries = sorted(paths.encoded_blocks.iterdir())
    assert run(paths) == expected
    assert sorted(paths.encoded_blocks.iterdir()) == entries
    lists = [entry for entry in entries if b'"sizes"' in entry.read_bytes()]
    assert len(lists) == 2  # dev alternates between groups
    blocks = [entry for entry in entries if entry not in lists]
    lists[0].write_bytes(lists[0].read_bytes()[:-1])
    blocks[0].write_bytes(blocks[0].read_bytes()[:-1])
    blocks[1].write_bytes(bytes(len(blocks[1].read_bytes())))
    blocks[2].write_bytes(b"")
    (paths.encoded_blocks / ".left_by_a_killed_run").write_bytes(b"half")
    encoded.clear()
    assert run(paths) == expected
    assert len(encoded) == 3
    assert sorted(paths.encoded_blocks.iterdir()) == entries
    write(paths, rows(NUM_PAIRS, seed=9))
    run(paths)
    assert len({*paths.encoded_blocks.iterdir()} - {*entries}) > 10
    assert len(list(paths.encoded_blocks.iterdir())) < 1.5 * len(entries)
    shutil.rmtree(paths.encoded_blocks)
    assert run(paths) == run_alone(paths)
    run(paths, vocabulary="")
    assert not paths.encoded_blocks.exists()


def test_other_code_and_another_vocabulary_find_nothing(
    paths: Paths, encoded: list[int], monkeypatch: pytest.MonkeyPatch, make_bundle: Callable[..., None]
) -> None:
    run(paths)
    encoded.clear()
    make_bundle(paths, tags=TagColumns(source=("language", "topic")))
    write(paths, rows(NUM_PAIRS))
    paths.served.rename(paths.root / "data" / "other")
    assert run(paths, vocabulary="data/other") == run_alone(paths, vocabulary="data/other")
    assert sum(encoded) == NUM_PAIRS + 50
    run(paths)
    encoded.clear()
    with monkeypatch.context() as patched:
        patched.setattr(kept_encoding, "digest_package", lambda: "0" * 64)
        run(paths)
    assert sum(encoded) == NUM_PAIRS + 50


def test_a_full_disk_keeps_nothing_and_stops_nothing(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = run_alone(paths)
    monkeypatch.setattr("tempfile.mkstemp", lambda **_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    assert run(paths) == expected
    assert sum("nothing more is kept for the next run" in message for message in caplog.messages) == 1


def test_a_broken_line_behind_kept_blocks_is_named_with_its_number(paths: Paths) -> None:
    run(paths)
    with paths.prepared_split("train").open("a") as file:
        file.write('{"source": "1 May", "target": "1", "language": "fr"}\n')
    with pytest.raises(CorpusError, match=rf"train\.jsonl:{NUM_PAIRS + 1}: tag 'language': must be one of 'de', 'en'; got 'fr'"):
        run(paths)


def test_a_killed_run_and_two_at_once_leave_what_the_next_one_can_use(paths: Paths, tmp_path: Path) -> None:
    expected = run_alone(paths)
    killed = CONTEXT.Process(target=_run_and_die, args=(str(paths.root), 7))
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    left = {path.name for path in paths.encoded_blocks.iterdir()}
    assert sum(not name.startswith(".") for name in left) == 7
    assert any(name.startswith(".") for name in left)
    other = Paths(tmp_path / "other")
    shutil.copytree(paths.root, other.root)
    shutil.rmtree(other.encoded_blocks)
    other.encoded_blocks.symlink_to(paths.encoded_blocks)
    run_at_once(_run_often, (str(paths.root), str(other.root)))
    assert run(paths) == run(other) == expected


def _run_and_die(root: str, number: int) -> None:
    """Ends by SIGKILL between an entry's last byte and its appearance."""
    replace, done = Path.replace, list[Path]()

    def replace_or_die(self: Path, target: Path) -> Path:
        if target.parent.name == "encoded":
            done.append(target)
            if len(done) > number:
                os.kill(os.getpid(), signal.SIGKILL)
        return replace(self, target)

    line_blocks.ENDING_LINES = 20
    Path.replace = replace_or_die  # type: ignore[method-assign,assignment]
    run(Paths(Path(root)))


def _run_often(root: str) -> None:
    line_blocks.ENDING_LINES = 20
    for _ in range(4):
        run(Paths(Path(root)))


def test_a_block_ends_where_its_lines_say_and_never_grows_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_blocks, "ENDING_LINES", 10)
    lines = [f"{number}\n".encode() for number in range(500)]
    blocks = list(iterate_line_blocks(lines))
    assert [line for block in blocks for line in block] == lines
    assert {*map(tuple, blocks)} - {*map(tuple, iterate_line_blocks(lines[3:]))} == {tuple(blocks[0])}
    monkeypatch.setattr(line_blocks, "MOST_LINES", 4)
    assert max(map(len, iterate_line_blocks(lines))) == 4
    monkeypatch.setattr(line_blocks, "MOST_BYTES", 5)
    assert max(sum(map(len, block)) for block in iterate_line_blocks(lines)) <= 4 + len(b"499\n")


def test_monolingual_sentences_are_kept_too(tmp_path: Path) -> None:
    model = train_subword(["1 2 3"], SubwordSettings(model="char", vocabulary_size=16))
    path = tmp_path / "monolingual.en.jsonl"
    path.write_text("".join(f'{{"text": "{"1 " * (number % 7)}"}}\n' for number in range(50)))
    expected = encode_sentences(list(iterate_sentences(path)), model, 9)
    assert 0 < len(expected.rows) < expected.read

    def encode() -> FlatRows:
        kept = KeptEncoding(KeptArrays(tmp_path / "kept"), Tokenizers(model, model), "code")
        (found,) = kept.sentences(path, 9)
        assert found.read == expected.read
        return found.rows

    first = encode()
    with pytest.MonkeyPatch.context() as patched:
        patched.delattr(block_encoding, "encode_sentences")
        second = encode()
    for rows in (first, second):
        assert rows.values.tolist() == expected.rows.values.tolist()
        assert rows.lengths.tolist() == expected.rows.lengths.tolist()


def test_an_entry_that_another_process_removes_counts_as_absent(tmp_path: Path) -> None:
    assert KeptArrays(tmp_path / "none").find("0" * 64) is None
    KeptArrays(tmp_path / "none").remove_unused()
