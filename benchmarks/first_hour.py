"""Whether `s2s configure --corpus FOLDER` leads to a first training without an edit, for corpora of many kinds.

    python benchmarks/first_hour.py                       the published corpora (--corpora) and those that the tests make
    python benchmarks/first_hour.py FOLDER ...            folders of your own
    python benchmarks/first_hour.py --updates 50 --rows 3000

For each folder, `s2s configure --corpus` writes params.yaml, and the stages from validate to evaluate run in a workspace of its
own. Only the lengths of training and test are cut (--updates, --test-rows), and large text files to their first rows (--rows).
The table says which task was found, what was trained on, and how the loss fell. Where a message names a command that converts a
file, the script runs it, as its reader would, and tries again: *converted*. --refused tells how many folders hold nothing that can
be learnt from, such as pictures; more than that many make the script fail.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import load_settings
from seq2seq_core.config.yaml_text import parse_document, write_document
from seq2seq_core.corpus_survey.folder_survey import survey_folder
from seq2seq_core.corpus_survey.proposed_settings import install_proposal
from seq2seq_core.errors import UserError
from seq2seq_core.evaluation.drawing import plots
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.evaluate import run_evaluate
from seq2seq_core.stages.export import run_export
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train
from seq2seq_core.stages.validate import run_validate
from tests.made_corpora import WRITERS, make_corpus

ROOT = Path(__file__).resolve().parents[1]
LARGE_BYTES = 1_500_000
"""Text files above this size are cut to their first rows."""
STAGES = (run_validate, run_prepare, run_tokenize, run_train, run_export, run_evaluate)


class LossRecorder(NullRecorder):
    """Keeps the training losses."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Keeps `train_loss`."""
        self.losses += [value for name, value in metrics.items() if name == "train_loss"]


@dataclass(frozen=True)
class FirstTraining:
    """What came of one folder: the proposed task and settings, or the reason why there are none."""

    name: str
    task: str
    pairs: int
    seconds_to_settings: float
    seconds: float
    losses: tuple[float, float]
    score: str
    fault: str

    def row(self) -> str:
        """A row of the table."""
        if self.fault:
            return f"{self.name:<26} {self.task:<16} {self.fault}"
        first, last = self.losses
        return (
            f"{self.name:<26} {self.task:<16} {self.pairs:>8,} {self.seconds_to_settings:>7.1f} s {self.seconds:>8.1f} s "
            f"{first:>7.2f} → {last:<7.2f} {self.score}"
        )


def cut_copy(source: Path, target: Path, num_rows: int) -> Path:
    """A copy of a corpus folder; large text files have their first rows only, other files are links."""
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(parents=True, exist_ok=True)
        elif path.suffix in (".wav", ".flac", ".png", ".jpg", ".parquet", ".gz") or path.stat().st_size <= LARGE_BYTES:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(path.resolve())
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            with path.open("rb") as lines, place.open("wb") as kept:
                kept.writelines(line for line, _ in zip(lines, range(num_rows), strict=False))
    return target


def shorten(paths: Paths, updates: int, test_rows: int) -> None:
    """Cuts training and evaluation in params.yaml; nothing else changes."""
    values = parse_document(paths.params.read_text(encoding="utf-8"))
    train = values["train"]
    train["max_steps"], train["warmup_steps"] = updates, min(train["warmup_steps"], updates // 2)
    train["validate_every_steps"], train["dev_sentences"] = max(1, updates // 2), min(train["dev_sentences"], 20)
    values["evaluate"]["test_limit"] = test_rows
    values["runtime"] = {"device": "cpu", "num_threads": 1, "progress": "plain", "log_every_steps": 1}
    paths.params.write_text(write_document(values), encoding="utf-8")


def convert_as_told(folder: Path, paths: Paths) -> None:
    """Runs the command by which the message about a folder converts a file, and puts the converted file in the file's place."""
    try:
        survey_folder(folder)
    except UserError as error:
        if (told := re.search("`([^`]* > converted)` converts it", str(error))) is None:
            return
        command = told[1]
        subprocess.run(command, shell=True, cwd=paths.root, check=True)
        place = next(path for path in map(Path, shlex.split(command)) if path.is_file())
        print(f"{folder.name:<26} converted        {place.name}: {command.split(' /')[0]}", flush=True)
        place.unlink()
        shutil.move(paths.root / "converted", place)


def try_folder(folder: Path, work: Path, updates: int, test_rows: int) -> FirstTraining:
    """Configures and trains in a workspace of its own."""
    paths = Paths(work / "workspace")
    paths.root.mkdir(parents=True)
    shutil.copyfile(ROOT / "dvc.yaml", paths.root / "dvc.yaml")
    began, task, seconds_to_settings = time.perf_counter(), "–", 0.0
    try:
        convert_as_told(folder, paths)
        findings = install_proposal(paths, folder, None, "", force=False)
        seconds_to_settings = time.perf_counter() - began
        task = next(line.split()[1].rstrip(",") for line in findings if line.startswith("task: "))
        shorten(paths, updates, test_rows)
        settings, recorder = load_settings(paths.params), LossRecorder()
        for stage in STAGES:
            result = stage(settings, paths, recorder)
            if stage is run_tokenize:
                pairs = result.pairs["train"]
    except UserError as error:
        return FirstTraining(folder.name, task, 0, 0.0, 0.0, (0.0, 0.0), "", str(error))
    metric = settings.register_.metric
    score = f"{metric} {result.test[metric]:.3g}"
    losses = recorder.losses[0], sum(recorder.losses[-5:]) / len(recorder.losses[-5:])
    return FirstTraining(folder.name, task, pairs, seconds_to_settings, time.perf_counter() - began, losses, score, "")


def main() -> None:
    """Tries each folder, prints the table, and exits with 1 where a folder led to no training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--corpora", type=Path, default=Path(os.environ.get("SEQ2SEQ_CORPORA", ROOT.parent / "shared" / "corpora")))
    parser.add_argument("--updates", type=int, default=20)
    parser.add_argument("--test-rows", type=int, default=20)
    parser.add_argument("--refused", type=int, default=0, help="how many of the folders must be refused")
    parser.add_argument("--rows", type=int, default=5_000, help="rows of large text files")
    arguments = parser.parse_args()
    plots.can_plot = lambda: False
    with tempfile.TemporaryDirectory(prefix="s2s-first-hour-") as folder:
        work = Path(folder)
        folders = list(arguments.folders)
        if not folders:
            folders = sorted(path for path in arguments.corpora.iterdir() if path.is_dir()) if arguments.corpora.is_dir() else []
            folders += [make_corpus(name, work / "made" / name) for name in WRITERS]
        print(f"{'corpus':<26} {'task':<16} {'pairs':>8} {'settings':>9} {'in all':>10} {'loss':^17} score", flush=True)
        results = []
        for path in folders:
            corpus = cut_copy(path, work / "cut" / path.name, arguments.rows)
            results.append(try_folder(corpus, work / "runs" / path.name, arguments.updates, arguments.test_rows))
            print(results[-1].row(), flush=True)
    failed = [result.name for result in results if result.fault]
    print(f"{len(results) - len(failed)} of {len(results)} folders led to a first training; refused: {', '.join(failed) or 'none'}")
    sys.exit(len(failed) > arguments.refused)


if __name__ == "__main__":
    main()
