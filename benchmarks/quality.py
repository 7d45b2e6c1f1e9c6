"""Trains on published corpora and writes the table of figures, ours beside the published ones, to docs/quality.md.

    python benchmarks/quality.py                      every row that has no result, one after another (many hours of two cores)
    python benchmarks/quality.py g2p cogs --seeds 1 2 some rows, with two seeds
    python benchmarks/quality.py --list               the rows and their results
    python benchmarks/quality.py --again g2p          measures a row anew

Settings are those of configs/. Ctrl-C keeps what is trained: the same command goes on. Results are kept in docs/quality.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measured.row import Row
from benchmarks.measured.rows import ROWS
from benchmarks.measured.systems import run_system
from benchmarks.measured.table import as_page
from seq2seq_core import atomic
from seq2seq_core.console import configure_logging
from seq2seq_core.errors import Seq2SeqError

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "docs" / "quality.json", ROOT / "docs" / "quality.md"


def measure(row: Row, seed: int, corpora: Path, work: Path, threads: int) -> dict[str, Any]:
    """The result of a row with one seed.

    Args:
        row: the row to measure.
        seed: the seed of all its trainings.
        corpora: the folder of all corpora.
        work: the folder of all workspaces.
        threads: number of PyTorch's threads.
    """
    outcomes = {}
    for system in row.systems:
        print(f"== {row.name}, seed {seed}: {system.name}", flush=True)
        outcomes[system.name] = run_system(system, seed, corpora, work, threads)
    judgement = row.judge(outcomes)
    figure = judgement.figure
    return {
        "value": round(figure.value, 4),
        "low": round(figure.low, 4),
        "high": round(figure.high, 4),
        "is_met": bool(judgement.is_met),
        "details": list(judgement.details),
        "machine": f"PyTorch {torch.__version__.partition('+')[0]}, {platform.machine()}, {threads} CPU threads",
    }


def load_results() -> dict[str, dict[str, Any]]:
    """The stored results, by row name and seed."""
    found: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    return found


def keep(results: Mapping[str, Any]) -> None:
    """Writes the results and the page."""
    atomic.write_text(RESULTS, json.dumps(results, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    atomic.write_text(PAGE, as_page(ROWS, results))


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="names of rows; none: all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1], help="seeds of the trainings (default: 1)")
    parser.add_argument("--corpora", type=Path, default=Path(os.environ.get("SEQ2SEQ_CORPORA", ROOT.parent / "shared" / "corpora")))
    parser.add_argument("--work", type=Path, default=ROOT / ".s2s" / "quality", help="folder of the workspaces")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="CPU threads (default: all)")
    parser.add_argument("--again", action="store_true", help="measure rows that have a result too")
    parser.add_argument("--list", action="store_true", help="print the page and measure nothing")
    arguments = parser.parse_args()
    results = load_results()
    if arguments.list:
        print(as_page(ROWS, results))
        return
    configure_logging()
    by_name = {row.name: row for row in ROWS}
    if unknown := [name for name in arguments.rows if name not in by_name]:
        parser.error(f"no row {unknown[0]!r}; expected some of {', '.join(by_name)}")
    if not arguments.corpora.is_dir():
        parser.error(f"{arguments.corpora}: no such folder; name that of the corpora with --corpora")
    for name in arguments.rows or by_name:
        for seed in arguments.seeds:
            if str(seed) in results.get(name, {}) and not arguments.again:
                continue
            try:
                result = measure(by_name[name], seed, arguments.corpora, arguments.work, arguments.threads)
            except Seq2SeqError as error:
                sys.exit(f"{name}, seed {seed}: {error}")
            results.setdefault(name, {})[str(seed)] = result
            keep(results)
            verdict = "reaches" if result["is_met"] else "MISSES"
            print(f"{name}, seed {seed}: {result['value']:.2f} ({result['low']:.2f} to {result['high']:.2f}) {verdict} the bar")


if __name__ == "__main__":
    main()
