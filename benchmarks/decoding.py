"""Decodes the same sources with the code here and with another state of it, in turns, and compares rates, texts and scores.

    python benchmarks/decoding.py --bundle FOLDER --sources FILE --against v0.9
    python benchmarks/decoding.py --bundle FOLDER --sources FILE --against PATH --method beam=5 beam=1 sampling=8 --batch 64 1
    python benchmarks/decoding.py --bundle models/served --against-bundle models/bundle --sources FILE --against HEAD

FILE holds a source a line; of a TSV file the first column is taken. ``--against`` is a folder with the other code, or a commit of
this repository, which is checked out for the time of the run. ``--against-bundle`` is the bundle of the other side, where it is
another one, such as the same model for another engine. The two take turns, so that a machine whose speed drifts treats both
alike. Rates are per second of the processor: they hold on a machine that has other work too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.peers.side import Side  # noqa: E402

DECODER = Path(__file__).resolve().parent / "peers" / "decoder.py"


def start(name: str, code: Path, arguments: list[str]) -> Side:
    """Starts a side: one state of the code.

    Args:
        name: for messages.
        code: the folder with its code.
        arguments: of ``peers/decoder.py``.
    """
    environment = {**os.environ, "PYTHONPATH": str(code), "PYTHONSAFEPATH": "1"}
    return Side(f"the decoder of {name}", [sys.executable, str(DECODER), *arguments], environment=environment, folder=code)


@contextmanager
def code_of(against: str) -> Iterator[Path]:
    """The folder with the other code; a commit is checked out for the time of the context.

    Args:
        against: a folder or a commit.
    """
    if (Path(against) / "seq2seq_core").is_dir():
        yield Path(against).resolve()
        return
    with tempfile.TemporaryDirectory() as folder:
        code, git = Path(folder) / "code", ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(code), against], check=True)
        try:
            yield code
        finally:
            subprocess.run([*git, "remove", "--force", str(code)], check=True)


def options_of(method: str) -> dict[str, Any]:
    """The options of a method such as ``beam=5`` or ``sampling=8``."""
    name, _, number = method.partition("=")
    return {"beam_size": int(number)} if name == "beam" else {"method": "sampling", "num_hypotheses": int(number), "beam_size": 1}


def compare(sides: list[Side], method: str, more: dict[str, Any], batch: int, rounds: int) -> str:
    """A line of the table: rates, their ratio turn by turn, differing texts, and the largest gap of the scores of equal ones."""
    answers: list[list[dict[str, Any]]] = [[], []]
    for number in range(rounds + 1):
        for place, side in enumerate(sides):
            answer = side.take_turn(json.dumps({"options": {**options_of(method), **more}, "batch_sentences": batch}))
            answers[place] += [answer] if number else []  # the first round warms up
    rates = [[len(one["texts"]) / one["processor_seconds"] for one in own] for own in answers]
    ratios = [ours / other for ours, other in zip(*rates, strict=True)]
    pairs = list(zip(*(zip(own[0]["texts"], own[0]["scores"], strict=True) for own in answers), strict=True))
    differing = sum(ours[0] != other[0] for ours, other in pairs)
    gap = max((abs(ours[1] - other[1]) for ours, other in pairs if ours[0] == other[0]), default=0.0)
    ratio = f"{statistics.median(ratios):.2f} × ({min(ratios):.2f} to {max(ratios):.2f})"
    figures = [f"{statistics.median(own):,.1f}" for own in rates]
    return f"| {method} | {batch} | {figures[1]} | {figures[0]} | {ratio} | {differing} of {len(pairs)} | {gap:.1e} |"


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True, help="a model bundle")
    parser.add_argument("--sources", type=Path, required=True, help="a source a line, or TSV")
    parser.add_argument("--against", required=True, help="a folder with the other code, or a commit")
    parser.add_argument("--against-bundle", type=Path, help="the bundle of the other side (default: the same)")
    parser.add_argument("--method", nargs="+", default=["beam=5", "beam=1"], metavar="NAME=NUMBER")
    parser.add_argument("--option", nargs="+", default=[], metavar="NAME=NUMBER", help="other options of decoding")
    parser.add_argument("--batch", type=int, nargs="+", default=[64], help="sources decoded together (default: 64)")
    parser.add_argument("--sentences", type=int, default=256, help="sources of a turn (default: 256)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default: 5)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    arguments = parser.parse_args()
    more = {name: json.loads(value) for name, _, value in (one.partition("=") for one in arguments.option)}
    lines = arguments.sources.read_text(encoding="utf-8").splitlines()[: arguments.sentences]
    with code_of(arguments.against) as other, tempfile.TemporaryDirectory() as folder:
        sources = Path(folder) / "sources.txt"
        sources.write_text("".join(line.partition("\t")[0] + "\n" for line in lines), encoding="utf-8")
        common, others = [str(sources), str(arguments.threads)], arguments.against_bundle or arguments.bundle
        sides = [
            start("here", ROOT, [str(arguments.bundle.resolve()), *common]),
            start(arguments.against, other, [str(others.resolve()), *common]),
        ]
        print("| method | batch | sentences/s before | now | ratio, turn by turn | differing texts | largest gap of scores |")
        print("|---|---|---|---|---|---|---|")
        for batch in arguments.batch:
            for method in arguments.method:
                print(compare(sides, method, more, batch, arguments.rounds), flush=True)
        for side in sides:
            side.end()


if __name__ == "__main__":
    main()
