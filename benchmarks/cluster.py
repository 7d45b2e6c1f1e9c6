"""Where the time of `validate`, `prepare` and `tokenize` goes on a Dask cluster of two workers, and whether killed workers matter.

Prints a table.

    python benchmarks/cluster.py --pairs 1000000
    python benchmarks/cluster.py --pairs 200000 --leakage similar

Each stage is a process of its own, with and without the cluster; CPU seconds are those of the whole process, imports included,
MLflow left out. Then all stages run once more while a worker is killed (SIGKILL) at a random moment of each, and another one is
started. It fails unless all runs write the same bytes.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
from distributed import Client

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.incremental import STAGES, digest_outputs, make_vocabulary, write_corpus
from seq2seq_core.artifacts import Paths
from seq2seq_core.cluster.worker_check import find_identity
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stage_table import find_stage

PORT = 18786
ADDRESS = f"tcp://127.0.0.1:{PORT}"


def settings(address: str, leakage: str) -> Settings:
    """The settings of a run: the defaults, a vocabulary that is there, and the address; nothing is kept between runs.

    Args:
        address: of the scheduler; empty: none.
        leakage: ``prepare.leakage``.
    """
    values = {
        "corpus": {"path": "raw", "files": {"train": ["train.tsv"]}},
        "prepare": {"leakage": leakage},
        "tokenize": {"vocabulary": "base"},
        "register": {"model_name": "m"},
        "runtime": {"dask_address": address, "incremental": False},
    }
    return parse_settings(values, "benchmark")


class Workers:
    """A scheduler and two workers of a thread each.

    Args:
        room: a folder for what they spill.
    """

    def __init__(self, room: Path) -> None:
        self._room, self.kills = room, 0
        self._scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", str(PORT))
        self.workers = [self._start_worker() for _ in range(2)]
        client: Any = Client(ADDRESS, timeout=120, set_as_default=False)
        client.wait_for_workers(2, timeout=120)
        client.run(find_identity)  # what a worker loads, it loads once
        client.close()

    def _start(self, *words: str) -> psutil.Popen:
        return psutil.Popen([sys.executable, "-m", "dask", *words, "--no-dashboard"], stderr=subprocess.DEVNULL)

    def _start_worker(self) -> psutil.Popen:
        return self._start("worker", ADDRESS, "--nthreads", "1", "--no-nanny", "--local-directory", str(self._room))

    def seconds(self) -> float:
        """CPU seconds of the workers so far."""
        return float(sum(sum(worker.cpu_times()[:2]) for worker in self.workers))

    def kill_one(self) -> None:
        """Kills a worker, and starts another one."""
        place = random.randrange(2)
        self.workers[place].send_signal(signal.SIGKILL)
        self.workers[place].wait()
        self.workers[place] = self._start_worker()
        self.kills += 1

    def close(self) -> None:
        """Ends all processes."""
        for process in (*self.workers, self._scheduler):
            process.kill()
            process.wait()


def run(root: Path, stage: str, leakage: str, address: str = "", workers: Workers | None = None) -> tuple[float, float]:
    """The CPU and the wall seconds of a stage's process.

    Args:
        root: the workspace.
        stage: its name.
        leakage: ``prepare.leakage``.
        address: of the scheduler; empty: none.
        workers: one of them is killed while parts are computed; None: none is.
    """
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, __file__, "--stage", stage, "--root", str(root), "--leakage", leakage, "--address", address]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    folder, moment = Paths(root).cluster / stage, random.uniform(0.0, 3.0)
    while workers is not None and process.poll() is None:
        if folder.exists() and len(list(folder.iterdir())) > 4:
            time.sleep(moment)
            workers.kill_one()
            break
        time.sleep(0.01)
    if process.wait():
        raise SystemExit(f"{stage} failed; see it with --stage {stage} --root {root} --address {address!r}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.perf_counter() - start


def compare(num_pairs: int, leakage: str, room: Path) -> None:
    """Prints the costs of both kinds of run.

    Args:
        num_pairs: number of pairs.
        leakage: ``prepare.leakage``.
        room: an empty folder.
    """
    root = room / "workspace"
    write_corpus(root, num_pairs)
    make_vocabulary(root)
    alone = {stage: run(root, stage, leakage) for stage in STAGES}
    expected = digest_outputs(root)
    with ExitStack() as stack:
        workers = Workers(room / "workers")
        stack.callback(workers.close)
        shared = dict[str, tuple[float, float, float]]()
        _remove_outputs(root)
        for stage in STAGES:
            before = workers.seconds()
            shared[stage] = (*run(root, stage, leakage, ADDRESS), workers.seconds() - before)
        _check(root, expected)
        _remove_outputs(root)
        for stage in STAGES:
            run(root, stage, leakage, ADDRESS, workers)
        _check(root, expected)
        kills = workers.kills
    print(f"{num_pairs:,} pairs, {os.cpu_count()} cores; the same bytes in all runs, also after {kills} killed workers")
    print(f"{'':10}{'alone: CPU':>12}{'wall':>8}{'driver: CPU':>14}{'workers: CPU':>14}{'wall':>8}{'left the driver':>18}")
    for stage in STAGES:
        (cpu, wall), (driver, all_wall, others) = alone[stage], shared[stage]
        print(f"{stage:10}{cpu:12.1f}{wall:8.1f}{driver:14.1f}{others:14.1f}{all_wall:8.1f}{100 * (1 - driver / cpu):16.0f} %")


def _remove_outputs(root: Path) -> None:
    for name in ("data", "reports"):
        shutil.rmtree(root / name, ignore_errors=True)


def _check(root: Path, expected: dict[str, str]) -> None:
    if digest_outputs(root) != expected:
        raise SystemExit("a run on the cluster wrote other bytes")


def main() -> None:
    """Compares the runs, or runs one stage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--leakage", choices=("near", "similar"), default="near", help="prepare.leakage")
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--address", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stage:
        find_stage(given.stage).load_function()(settings(given.address, given.leakage), Paths(given.root), NullRecorder())
        return
    with tempfile.TemporaryDirectory() as room:
        compare(given.pairs, given.leakage, Path(room))


if __name__ == "__main__":
    main()
