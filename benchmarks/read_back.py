"""Synthesis of digit strings for six speakers, read back by a recogniser that real recordings alone have taught.

    python benchmarks/read_back.py --work FOLDER                                  both trainings, then the judgement
    python benchmarks/read_back.py --work FOLDER --steps 1800 --heard-steps 1400  with other numbers of updates
    python benchmarks/read_back.py --work FOLDER --speech BUNDLE                  judges a bundle that is there
    python benchmarks/read_back.py --work FOLDER --listening                      another recogniser listens in training

Makes two corpora of the Free Spoken Digit Dataset (--corpora, or SEQ2SEQ_CORPORA: it reads `fsdd/recordings`) under --work, trains
configs/spoken_digits.yaml on recordings to words, configs/synthesis.yaml on words to recordings, lets `evaluate` read the test set
back, and prints word error rates of the synthesis and of the real recordings with 95 % intervals of a bootstrap over rows. A
training that was stopped goes on; a recogniser that is there is used. --set changes settings of the synthesis.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measured.figures import symbol_error_rate
from benchmarks.measured.spoken_strings import build_spoken_strings
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import parse_settings
from seq2seq_core.console import configure_logging
from seq2seq_core.evaluation.report import PREDICTIONS_FILE
from seq2seq_core.evaluation.speech.speech_report import SPEECH_FILE
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.serving.found_models import find_judges
from seq2seq_core.stage_table import find_stage
from seq2seq_core.sweep.dotted import put_setting

ROOT = Path(__file__).resolve().parents[1]
Row = dict[str, Any]


def run_stages(paths: Paths, config: str, changes: dict[str, Any], stages: Sequence[str]) -> None:
    """Runs stages of a ready file with changed settings.

    Args:
        paths: the workspace.
        config: the ready file.
        changes: by dotted name.
        stages: their names.
    """
    values: dict[str, Any] = yaml.safe_load((ROOT / "configs" / config).read_text(encoding="utf-8"))
    for name, value in changes.items():
        put_setting(values, name, value)
    settings = parse_settings({**values, "runtime": {"num_threads": 1, "progress": "plain"}}, config)
    for stage in stages:
        asked: dict[str, Any] = {"judges": find_judges(settings.train, paths)} if stage == "train" else {}
        find_stage(stage).load_function()(settings, paths, NullRecorder(), **asked)


def judged_rows(paths: Paths) -> list[Row]:
    """The rows of test: columns, what was heard in the synthesis and in the real recording, and facts of the speech.

    Args:
        paths: the workspace of the synthesis, evaluated.
    """
    answers, facts = (
        [json.loads(line) for line in (paths.evaluation / name).read_text(encoding="utf-8").splitlines()]
        for name in (PREDICTIONS_FILE, SPEECH_FILE)
    )
    return [one | {"digits": len(one["reference"].split())} | fact for one, fact in zip(answers, facts, strict=True)]


def show(name: str, rows: list[Row]) -> None:
    """Prints a line of the table.

    Args:
        name: of the rows.
        rows: at least one.
    """
    said = [row["reference"] for row in rows]
    heard, real = (symbol_error_rate([row[key] for row in rows], said) for key in ("hypothesis", "read_back_real"))

    def mean(read: Callable[[Row], float]) -> float:
        return float(np.mean([read(row) for row in rows]))

    print(
        f"| {name} | {len(rows)} | {heard.value:.2f} ({heard.low:.2f} to {heard.high:.2f}) | "
        f"{real.value:.2f} ({real.low:.2f} to {real.high:.2f}) | {sum(bool(row['is_cut']) for row in rows)} | "
        f"{100 * mean(lambda row: row['repeated'] == 0):.1f} | {mean(lambda row: row['length_ratio']):.2f} | "
        f"{mean(lambda row: row['distortion']):.2f} |"
    )


WHOLE = ("prepare", "tokenize", "train", "export", "evaluate")
"""The stages of a new model."""


def main() -> None:
    """Trains, judges and prints."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="the folder of corpora and workspaces")
    corpora = os.environ.get("SEQ2SEQ_CORPORA", ROOT.parent / "shared" / "corpora")
    parser.add_argument("--corpora", type=Path, default=Path(corpora), help="the folder of all corpora (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=3000, help="updates of the synthesis (default: %(default)s)")
    parser.add_argument("--heard-steps", type=int, default=3000, help="updates of the recogniser (default: %(default)s)")
    parser.add_argument("--speech", type=Path, help="a bundle that speaks, which is judged in place of a new one")
    parser.add_argument("--listening", action="store_true", help="configs/synthesis_judged.yaml, whose judge is trained before")
    parser.add_argument("--recogniser", type=Path, help="a bundle that judges, in place of a new one")
    parser.add_argument("--seed", type=int, default=1, help="of both trainings (default: %(default)s)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the synthesis, in YAML")
    options = parser.parse_args()
    configure_logging()
    work: Path = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    build_spoken_strings(options.corpora, work / "corpora")
    # A bundle that is judged in place of a new one has a workspace of its own: the other keeps what it trained.
    hearing, speaking = Paths(work / "hearing"), Paths(work / ("judged" if options.speech else "speaking"))
    judge = options.recogniser.resolve() if options.recogniser else hearing.served
    if not judge.is_dir():
        hearing.root.mkdir(exist_ok=True)
        changes = {
            "corpus.path": str(work / "corpora" / "heard"),
            "train.max_steps": options.heard_steps,
            "train.seed": options.seed,
        }
        run_stages(hearing, "spoken_digits.yaml", changes, WHOLE)
    speaking.root.mkdir(exist_ok=True)
    ready, listening = "synthesis.yaml", {}
    if options.listening:
        ready, listener = "synthesis_judged.yaml", Paths(work / "listening")
        listening = {"train.phases.1.judge.reader": str(listener.served)}
        if not listener.served.is_dir():
            listener.root.mkdir(exist_ok=True)
            own = {"num_mels": 60, "window_ms": 50.0, "hop_ms": 12.5, "stack_frames": 2, "frame_stride": 2}
            changes = {"corpus.path": str(work / "corpora" / "heard"), "tokenize.audio": own}
            changes |= {"train.max_steps": options.heard_steps, "train.seed": options.seed + 1}
            run_stages(listener, "spoken_digits.yaml", changes, WHOLE)
    changes = {
        "corpus.path": str(work / "corpora" / "spoken"), "train.max_steps": options.steps, "train.seed": options.seed,
        "evaluate.metrics": ["wer"], "register.metric": "wer", "evaluate.speech.read_back": str(judge),
        "evaluate.slice_columns": ["speaker", "digits"], **listening,
    }  # fmt: skip
    changes |= {name: yaml.safe_load(value) for name, _, value in (one.partition("=") for one in options.set)}
    stages = WHOLE
    if options.speech:
        speaking.served.parent.mkdir(parents=True, exist_ok=True)
        speaking.served.unlink(missing_ok=True)
        speaking.served.symlink_to(options.speech.resolve())
        stages = ("prepare", "evaluate")
    run_stages(speaking, ready, changes, stages)
    rows = judged_rows(speaking)
    print("| rows | number | WER of the synthesis, % | WER of real recordings, % | cut | monotonic, % | length | distortion, dB |")
    print("|---|---|---|---|---|---|---|---|")
    show("all", rows)
    show("single digits", [row for row in rows if row["digits"] == 1])
    show("strings", [row for row in rows if row["digits"] > 1])
    for speaker in sorted({row["speaker"] for row in rows}):
        show(speaker, [row for row in rows if row["speaker"] == speaker])


if __name__ == "__main__":
    main()
