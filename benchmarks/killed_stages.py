"""Are the outputs of ``validate``, ``prepare`` and ``tokenize`` the same bytes if they are killed at random moments (SIGKILL)?

    python benchmarks/killed_stages.py                          ten kills of each stage on 50,000 generated pairs, minutes
    python benchmarks/killed_stages.py --pairs 1000000 --kills 3

Each kill hits a process of its own at a moment drawn evenly over the time of an undisturbed run. The next run goes on in the same
workspace with whatever the killed one left. Ends with exit code 1 if a byte differs, or if something is left behind.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.data_plane import write_corpus
from seq2seq_core.artifacts import Paths
from seq2seq_core.lineage.file_digests import iterate_files

ROOT = Path(__file__).resolve().parents[1]
OUTPUTS = {
    "validate": ("reports/validation.json",),
    "prepare": ("data/prepared", "reports/prepare.json", "reports/dropped.jsonl"),
    "tokenize": ("data/tokenized", "reports/tokenize.json", "reports/corpus_profile.json"),
}
SETTINGS = {
    "corpus": {"path": "raw", "files": {"train": ["train.tsv"]}},
    "validate": {"duplicate_pairs": {"limit": 1.0, "severity": "off"}},
    "tokenize": {side: {"model": "unigram", "vocabulary_size": 2000} for side in ("source", "target")},
    "register": {"model_name": "killed"},
    "runtime": {"progress": "plain"},
}


def start(stage: str, root: Path) -> subprocess.Popen[bytes]:
    """Starts a stage in a process group of its own.

    Args:
        stage: its name.
        root: the workspace.
    """
    command = [str(Path(sys.executable).with_name("s2s")), stage, "-C", str(root)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)


def run(stage: str, root: Path) -> float:
    """Runs a stage to its end; returns the seconds.

    Args:
        stage: its name.
        root: the workspace.
    """
    started, process = time.monotonic(), start(stage, root)
    _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"{stage} ended with {process.returncode}: {errors.decode()[-2000:]}")
    return time.monotonic() - started


def digests(stage: str, root: Path) -> dict[str, str]:
    """The digest of each output file of a stage, hidden files included.

    Args:
        stage: its name.
        root: the workspace.
    """
    places = [root / name for name in OUTPUTS[stage]]
    files = [file for place in places for file in (iterate_files(place) if place.is_dir() else [place])]
    files += [file for place in places if place.is_dir() for file in place.rglob(".*")]
    return {str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def kill_at_random(stage: str, root: Path, seconds: float, chance: random.Random) -> float:
    """Starts a stage and kills it; returns the moment.

    Args:
        stage: its name.
        root: the workspace.
        seconds: of an undisturbed run.
        chance: draws the moment.
    """
    process, moment = start(stage, root), chance.uniform(0.0, seconds)
    time.sleep(moment)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return moment


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=50_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    chance, faults = random.Random(arguments.seed), 0
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(Path(folder))
        (paths.root / "raw").mkdir()
        write_corpus(paths.root / "raw", arguments.pairs)
        paths.params.write_text(yaml.safe_dump(SETTINGS), encoding="utf-8")
        (paths.root / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
        for stage in OUTPUTS:
            seconds = run(stage, paths.root)
            expected, same = digests(stage, paths.root), 0
            for _ in range(arguments.kills):
                moment = kill_at_random(stage, paths.root, seconds, chance)
                run(stage, paths.root)
                found = digests(stage, paths.root)
                same += found == expected
                if found != expected:
                    names = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
                    print(f"{stage}, killed after {moment:.2f} s: other bytes in {', '.join(names)}")
            left = [path for path in paths.rows.rglob("*") if path.is_file() and path.name != "lock"]
            print(f"{stage}: {same} of {arguments.kills} runs after a kill ended in the same bytes; {len(left)} files were left")
            faults += arguments.kills - same + len(left)
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
