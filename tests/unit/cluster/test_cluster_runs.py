"""Stages on a real Dask scheduler and two workers: the same bytes and the same faults as without, also when a worker dies."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.cluster import connection
from seq2seq_core.cluster.connection import Cluster, open_cluster
from seq2seq_core.cluster.part_files import find_part, write_part
from seq2seq_core.cluster.worker_check import find_fault, find_identity, run_checked
from seq2seq_core.config.settings import parse_settings
from seq2seq_core.corpus.rows import row_parts
from seq2seq_core.encoding import block_encoding
from seq2seq_core.errors import ConfigError, CorpusError, EnvironmentFault, UserError
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stage_table import find_stage
from seq2seq_core.tokenization import line_blocks

pytest.importorskip("distributed", reason="needs the extra dask")

STAGES = ("validate", "prepare", "tokenize")
WORDS = ["Haus", "Tür", "<b>fett</b>", "&amp;", "12", "Ёлка", "\u200b", "x\u0308", "e\u0301t\u00e9", "Straße", "a  b", "!"]
Sections = dict[str, dict[str, Any]]


class DaskProcesses:
    """A scheduler and two workers of a thread each, as users start them.

    Args:
        folder: of the scheduler's file and the workers' own.

    Attributes:
        address: of the scheduler.
        workers: the processes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, file = folder, folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
        deadline = time.monotonic() + 120
        while not file.exists() or not file.read_text().rstrip().endswith("}"):
            assert time.monotonic() < deadline, "the scheduler did not start"
            time.sleep(0.05)
        self.address = str(json.loads(file.read_text())["address"])
        own = ("--nthreads", "1", "--no-nanny", "--local-directory", str(folder))
        self.workers = [self._start("worker", self.address, *own) for _ in range(2)]

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        log = (self._folder / f"{words[0]}.log").open("ab")
        with log:
            return subprocess.Popen([sys.executable, "-m", "dask", *words, "--no-dashboard"], stdout=log, stderr=log)

    def close(self) -> None:
        """Ends all processes."""
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskProcesses]:
    """One cluster for all tests of this file, the last of which kill it."""
    started = DaskProcesses(tmp_path_factory.mktemp("dask"))
    yield started
    started.close()


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few hundred rows make many parts."""
    monkeypatch.setattr(row_parts, "PART_ROWS", 120)
    monkeypatch.setattr(line_blocks, "ENDING_LINES", 10)
    monkeypatch.setattr(block_encoding, "TASK_BYTES", 1000)


def lines(number: int, seed: int) -> list[str]:
    """Pairs with every kind of dirt; many repeat others."""
    chance = random.Random(seed)
    texts = [" ".join(chance.choices(WORDS, k=chance.randrange(9))) for _ in range(number // 2)]
    return [f"{chance.choice(texts)}\t{chance.choice(texts)} {chance.randrange(4)}\t{chance.choice('xy')}\n" for _ in range(number)]


def write_corpus(root: Path) -> Paths:
    """Train in a plain and in a compressed file, dev in JSON lines, and sentences of one language."""
    folder = root / "raw"
    folder.mkdir(parents=True)
    header = "source\ttarget\ttopic\n"
    (folder / "a.tsv").write_text(header + "".join(lines(400, 1)), encoding="utf-8", newline="")
    (folder / "b.tsv.gz").write_bytes(gzip.compress((header + "".join(lines(90, 2))).encode(), mtime=0))
    cells = [dict(zip(("topic", "target", "source"), reversed(line[:-1].split("\t")), strict=True)) for line in lines(50, 3)]
    (folder / "dev.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in cells), encoding="utf-8")
    return Paths(root)


def values(address: str, others: Sections) -> Sections:
    """The settings of a run."""
    checks = {name: {"limit": 1.0, "severity": "warning"} for name in ("duplicate_pairs", "conflicting_targets", "empty")}
    own = [{"name": "twelve", "where": "source LIKE '%12%'", "limit": 0, "severity": "warning"}]
    sides = {side: {"model": "char", "vocabulary_size": 80} for side in ("source", "target")}
    sections: Sections = {
        "corpus": {"path": "raw", "files": {"train": ["a.tsv", "b.tsv.gz"], "dev": ["dev.jsonl"]}},
        "validate": checks | {"contracts": own},
        "prepare": {"mend": ["escaped_text"], "max_dropped_fraction": 1.0, "test_fraction": 0.1, "leakage": "similar"},
        "tokenize": sides | {"source_tags": ["topic"], "group_columns": ["topic"], "max_source_tokens": 60},
        "register": {"model_name": "m"},
        "runtime": {"progress": "plain", "dask_address": address, "dask_wait_seconds": 60, "incremental": False},
    }
    return {name: section | others.get(name, {}) for name, section in sections.items()}


def run(paths: Paths, stage: str, address: str = "", others: Sections | None = None) -> None:
    find_stage(stage).load_function()(parse_settings(values(address, others or {}), "test"), paths, NullRecorder())


def outputs(paths: Paths) -> dict[str, bytes]:
    """What the stages have written."""
    written = [path for name in ("data", "reports", ".s2s/data_docs") for path in (paths.root / name).rglob("*") if path.is_file()]
    return {str(path.relative_to(paths.root)): path.read_bytes() for path in written}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A workspace after all stages without a cluster."""
    paths = write_corpus(tmp_path_factory.mktemp("alone"))
    for stage in STAGES:
        run(paths, stage)
    return paths


@pytest.mark.slow
def test_a_cluster_writes_the_same_bytes_and_computes_every_part_of_the_rows(
    tmp_path: Path, alone: Paths, processes: DaskProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, sent = write_corpus(tmp_path / "shared"), dict[str, int]()
    share_out = Cluster.map

    def count(self: Cluster, function: Any, tasks: Any) -> Iterator[Any]:
        for result in share_out(self, function, tasks):
            sent[function.__name__] = sent.get(function.__name__, 0) + 1
            yield result

    monkeypatch.setattr(Cluster, "map", count)
    monkeypatch.delattr(block_encoding, "encode_pairs")  # nothing is left to this process
    for stage in STAGES:
        run(paths, stage, processes.address)
        assert not (paths.cluster / stage).exists()
    assert outputs(paths) == outputs(alone)
    assert sent["compute_part"] > 20
    assert sent["encode_range"] > 10


@pytest.mark.slow
def test_faults_of_rows_are_told_as_without_a_cluster(tmp_path: Path, alone: Paths, processes: DaskProcesses) -> None:
    paths = Paths(tmp_path / "shared")
    shutil.copytree(alone.root, paths.root)
    train = paths.prepared_split("train")
    pairs = train.read_text(encoding="utf-8").splitlines(keepends=True)
    pairs[120], pairs[200] = (pairs[place].replace('"topic": ', '"theme": ') for place in (120, 200))
    train.write_text("".join(pairs), encoding="utf-8")
    faults = list[str]()
    for address in ("", processes.address):
        with pytest.raises(CorpusError) as caught:
            run(paths, "tokenize", address)
        faults.append(str(caught.value))
    assert faults[0] == faults[1]
    assert "train.jsonl:121: " in faults[0]


@pytest.mark.slow
def test_workers_with_other_libraries_are_refused(
    tmp_path: Path, processes: DaskProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = dict(find_identity())
    monkeypatch.setattr(connection, "find_identity", lambda: own | {"duckdb": "0.1"})
    with pytest.raises(UserError) as caught:
        run(write_corpus(tmp_path), "prepare", processes.address)
    head, *faults = str(caught.value).splitlines()
    assert head == "runtime.dask_address: 2 of 2 Dask workers cannot be used"
    assert len(faults) == 2
    assert f"has other code or libraries: duckdb {own['duckdb']} (here 0.1); expected the same" in faults[0]
    assert not list((tmp_path / "data").rglob("*"))


def test_a_worker_that_does_not_see_the_workspace_or_came_late_is_refused(tmp_path: Path) -> None:
    probe, identity = tmp_path / "probe", dict(find_identity())
    fault = asyncio.run(find_fault(identity, str(probe), "content", seconds=0.3))
    assert fault == f"does not see {tmp_path}; expected the workspace at the same path on all machines, such as by NFS"
    probe.write_text("content")
    assert asyncio.run(find_fault(identity, str(probe), "content")) == ""
    assert run_checked(identity, len, ["abc"]) == 3
    with pytest.raises(UserError, match=r"a Dask worker on .* has other code or libraries: distributed \S+ \(here 1\); expected"):
        run_checked(identity | {"distributed": "1"}, len, ["abc"])


def test_a_part_is_taken_again_only_if_it_is_whole(tmp_path: Path) -> None:
    name = write_part(tmp_path, lambda draft: draft.write_bytes(b"rows"), "key")
    assert find_part(tmp_path, "key") == name
    (tmp_path / name).write_bytes(b"row")
    assert find_part(tmp_path, "key") is None
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_no_scheduler_ends_with_exit_code_2_and_what_to_start(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        run(write_corpus(tmp_path), "prepare", "tcp://127.0.0.1:9", {"runtime": {"dask_wait_seconds": 0.5}})
    assert caught.value.exit_code == 2
    assert str(caught.value) == (
        "runtime.dask_address: no Dask scheduler answers at tcp://127.0.0.1:9 (Timed out trying to connect to tcp://127.0.0.1:9 "
        "after 0.5 s); start a scheduler (`dask scheduler`) and workers (`dask worker ADDRESS --nthreads 1`) from this environment"
    )
    assert not list((tmp_path / "data").rglob("*"))


def test_an_address_holds_no_credentials() -> None:
    with pytest.raises(ConfigError, match=r"runtime\.dask_address: must hold no user name.*got some for tls://host:8786") as caught:
        parse_settings(values("tls://me:hush@host:8786", {}), "test")
    assert "hush" not in str(caught.value)


@pytest.mark.proof
def test_a_killed_worker_changes_nothing_and_a_killed_scheduler_ends_the_run(
    tmp_path: Path, alone: Paths, processes: DaskProcesses, monkeypatch: pytest.MonkeyPatch, fresh_random: random.Random
) -> None:
    stage = fresh_random.choice(STAGES)  # benchmarks/cluster.py takes all
    paths, expected = Paths(tmp_path / "shared"), outputs(alone)
    shutil.copytree(alone.root, paths.root)
    shutil.rmtree(paths.work, ignore_errors=True)
    wait, victims = Cluster._wait, [processes.workers[0]]

    def kill_first(self: Cluster, future: Any) -> Any:
        if victims and not future.done():  # so there is work left
            victims[-1].send_signal(signal.SIGKILL)
            victims.pop().wait()
        return wait(self, future)

    monkeypatch.setattr(Cluster, "_wait", kill_first)
    run(paths, stage, processes.address)
    assert processes.workers[0].returncode == -signal.SIGKILL
    found = outputs(paths)
    assert {name: expected[name] for name in found} == found
    victims[:] = [processes.scheduler]
    with pytest.raises(EnvironmentFault, match=r"runtime\.dask_address: lost the Dask scheduler tcp://127"):
        run(paths, stage, processes.address, {"runtime": {"dask_wait_seconds": 2}})
    left = {path.name for path in (paths.cluster / stage).iterdir()}
    assert left - {"lock"}
    with open_cluster(stage, parse_settings(values("", {}), "test"), paths) as none:
        assert none is None
    assert not (paths.cluster / stage).exists()
