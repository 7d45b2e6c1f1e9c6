"""Cost of `validate`, `prepare` and `tokenize` on generated pairs, and of both readers alone. Prints a table.

    python benchmarks/data_plane.py 300000 1000000
    python benchmarks/data_plane.py 1000000 3000000 10000000 --only validate prepare tokenize

Each measurement is a process of its own: CPU seconds, wall seconds, peak memory. All pairs differ, unless `--repeats` is given.
Subword models are trained on a sample, whose cost is in `tokenize` and does not grow with the corpus.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from seq2seq_core.allocation import uncollected_imports
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.corpus.reading import SplitReader
from seq2seq_core.corpus.rows import split_loading
from seq2seq_core.corpus.rows.plain_blocks import OddFile
from seq2seq_core.corpus.rows.split_loading import SplitLoader
from seq2seq_core.corpus.rows.store_opening import open_row_store
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.validate import run_validate

LETTERS = "abcdefghijklmnopqrstuvwxyzäöü"
STAGES = {"validate": run_validate, "prepare": run_prepare, "tokenize": run_tokenize}
TASKS = (*STAGES, "blocks", "lines")
SIZES = (300_000, 1_000_000)


def write_corpus(folder: Path, num_pairs: int, repeat_every: int = 0) -> None:
    """Writes ``train.tsv``.

    Args:
        folder: receives it.
        num_pairs: number of pairs.
        repeat_every: each pair of this number repeats the one before; 0: none does.
    """
    generator = random.Random(1)
    words = ["".join(generator.choices(LETTERS, k=generator.randrange(2, 10))) for _ in range(20_000)]
    line = ""
    with (folder / "train.tsv").open("w", encoding="utf-8") as file:
        file.write("source\ttarget\n")
        for number in range(num_pairs):
            if not repeat_every or number % repeat_every < repeat_every - 1:
                source, target = (" ".join(generator.choices(words, k=generator.randrange(5, 14))) for _ in range(2))
                line = f"{source} {number}\t{target} {number}\n"
            file.write(line)


def measure(task: str, settings: Settings, root: Path) -> None:
    """Runs one task in this process, and prints its cost.

    Args:
        task: one of :data:`TASKS`.
        settings: of the corpus.
        root: the workspace.
    """
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    if task in STAGES:
        with uncollected_imports():
            STAGES[task](settings, Paths(root), NullRecorder())
    else:
        if task == "lines":
            split_loading.iterate_blocks = _refuse
        reader = SplitReader(settings.corpus, root, "train")
        with open_row_store(root / "rows", settings.runtime.memory_limit) as store:
            SplitLoader(store, reader, None).load(reader.entries[0])
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    print(f"{task:10} CPU {cpu:7.1f} s, wall {time.perf_counter() - start:7.1f} s, peak {used.ru_maxrss // 1024:6} MB", flush=True)


def _refuse(*_: Any) -> Any:
    raise OddFile


def main() -> None:
    """Measures each number of pairs, or runs one task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=int, nargs="*", default=SIZES, help="numbers of pairs (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=TASKS, default=TASKS, help="tasks to measure (default: all)")
    parser.add_argument("--memory-limit", default="2 GB", help="runtime.memory_limit (default: %(default)s)")
    parser.add_argument("--repeats", action="store_true", help="every tenth pair repeats the one before")
    parser.add_argument("--training-texts", type=int, default=200_000, help="of a subword model (default: %(default)s)")
    parser.add_argument("--task", choices=TASKS, help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        corpus = {"path": ".", "files": {"train": ["train.tsv"]}}
        side = {"training_texts": given.training_texts}
        values = {
            "corpus": corpus,
            "tokenize": {"source": side, "target": side},
            "validate": {"duplicate_pairs": {"limit": 1}},
            "register": {"model_name": "m"},
            "runtime": {"memory_limit": given.memory_limit},
        }
        measure(given.task, parse_settings(values, "benchmark"), given.root)
        return
    for num_pairs in given.pairs:
        with tempfile.TemporaryDirectory() as folder:
            write_corpus(Path(folder), num_pairs, 10 if given.repeats else 0)
            print(f"{num_pairs:,} pairs", flush=True)
            for task in given.only:
                own = ["--task", task, "--root", folder, "--memory-limit", given.memory_limit]
                own += ["--training-texts", str(given.training_texts)]
                subprocess.run([sys.executable, __file__, *own], check=True)


if __name__ == "__main__":
    main()
