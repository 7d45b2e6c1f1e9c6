"""Digit strings, spoken: the free spoken digits joined into strings of one to five, recognised by a model trained on other strings.

    python benchmarks/spoken_digits.py WORK                      builds the corpus, trains, evaluates; about ten minutes of one core
    python benchmarks/spoken_digits.py WORK --settings my.yaml   the same with other settings

Each string is of one speaker, with short random pauses between the digits. Test strings are of the 300 official test recordings
(index 0 to 4 of each digit and speaker), each of which is used at least once; dev strings are of index 5 to 7, train strings of the
rest. Strings and pauses follow from a fixed seed. The single digits are read from ../shared/corpora/fsdd, or below the folder that
the environment variable SEQ2SEQ_CORPORA names. Prints the digit error rate with a 95 % confidence interval, by resampling the test
strings (Bisani and Ney 2004).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import yaml
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from seq2seq_core.artifacts import Paths
from seq2seq_core.audio.wav import read_wav, write_wav
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.evaluation.metrics import edit_distance
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.evaluate import run_evaluate
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train
from seq2seq_core.stages.validate import run_validate

ROOT = Path(__file__).resolve().parents[1]
CORPORA = Path(os.environ.get("SEQ2SEQ_CORPORA", ROOT.parent / "shared" / "corpora"))
SAMPLE_RATE, SEED, LONGEST = 8000, 1, 5
PAUSE_SECONDS = (0.05, 0.3)
INDICES = {"test": range(5), "dev": range(5, 8), "train": range(8, 50)}
STRINGS = {"test": 600, "dev": 360, "train": 6000}
RESAMPLES = 2000

Voices = dict[str, dict[str, list[NDArray[np.float32]]]]
"""Samples of the recordings, by speaker and digit."""


def read_digits(folder: Path) -> dict[str, Voices]:
    """The recordings of each split, by speaker and digit."""
    digits: dict[str, Voices] = {split: {} for split in INDICES}
    for path in sorted(folder.glob("*.wav")):
        digit, speaker, index = path.stem.split("_")
        split = next(split for split, indices in INDICES.items() if int(index) in indices)
        digits[split].setdefault(speaker, {}).setdefault(digit, []).append(read_wav(path, SAMPLE_RATE).samples_N)
    return digits


def draw_strings(digits: Voices, count: int, chance: random.Random) -> Iterator[tuple[str, str, list[NDArray[np.float32]]]]:
    """Strings as speaker, text and recordings; every recording is drawn before any is drawn again by the same speaker."""
    speakers = sorted(digits)
    waiting: dict[str, list[tuple[str, NDArray[np.float32]]]] = {speaker: [] for speaker in speakers}
    for number in range(count):
        speaker = speakers[number % len(speakers)]
        chosen = []
        for _ in range(chance.randint(1, LONGEST)):
            if not waiting[speaker]:
                own = [(digit, one) for digit in sorted(digits[speaker]) for one in digits[speaker][digit]]
                chance.shuffle(own)
                waiting[speaker] = own
            chosen.append(waiting[speaker].pop())
        yield speaker, " ".join(digit for digit, _ in chosen), [samples for _, samples in chosen]


def join(recordings: Sequence[NDArray[np.float32]], chance: random.Random) -> NDArray[np.float32]:
    """The recordings one after another with pauses of near silence between them, before and behind."""
    noise = np.random.default_rng(chance.randrange(2**32))
    parts = []
    for recording in [*recordings, np.zeros(0, dtype=np.float32)]:
        pause = round(SAMPLE_RATE * chance.uniform(*PAUSE_SECONDS))
        parts += [noise.normal(scale=2e-4, size=pause).astype(np.float32), recording]
    return np.concatenate(parts)


def build_corpus(folder: Path) -> None:
    """Writes ``{train,dev,test}.tsv`` and a folder of WAV files for each."""
    digits = read_digits(CORPORA / "fsdd" / "recordings")
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    for split, own in digits.items():
        chance = random.Random(f"{SEED} {split}")
        (draft / split).mkdir(parents=True)
        with (draft / f"{split}.tsv").open("w", encoding="utf-8", newline="\n") as table:
            table.write("source\ttarget\tspeaker\tdigits\n")
            for number, (speaker, text, recordings) in enumerate(draw_strings(own, STRINGS[split], chance)):
                name = f"{split}/{number:05}.wav"
                write_wav(draft / name, join(recordings, chance), SAMPLE_RATE)
                table.write(f"{name}\t{text}\t{speaker}\t{len(recordings)}\n")
    draft.replace(folder)


def read_settings(path: Path, corpus: Path) -> Settings:
    """The settings of a file, for this corpus and one core."""
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    values["corpus"]["path"] = str(corpus)
    values.setdefault("runtime", {}).update({"num_threads": 1, "progress": "plain"})
    return parse_settings(values, str(path))


def digit_errors(path: Path) -> NDArray[np.int64]:
    """Errors and digits of each test string, from ``reports/evaluation/predictions.jsonl``: (strings, 2)."""
    rows: Iterable[dict[str, str]] = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    pairs = [(row["reference"].split(), row["hypothesis"].split()) for row in rows]
    return np.array([(edit_distance(reference, hypothesis), len(reference)) for reference, hypothesis in pairs])


def main() -> None:
    """Builds the corpus where it is missing, runs the stages up to the evaluation, prints the digit error rate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="folder of corpus and results; what is there already is used")
    parser.add_argument("--settings", type=Path, default=ROOT / "configs" / "spoken_digits.yaml")
    arguments = parser.parse_args()
    if not (CORPORA / "fsdd").is_dir():
        sys.exit(f"skipped: no spoken digits at {CORPORA / 'fsdd'} (set SEQ2SEQ_CORPORA to the folder of the corpora)")
    torch.set_num_threads(1)
    paths, corpus = Paths(arguments.work.resolve()), arguments.work.resolve() / "corpus"
    paths.root.mkdir(parents=True, exist_ok=True)
    if not corpus.is_dir():
        build_corpus(corpus)
    settings, recorder = read_settings(arguments.settings, corpus), NullRecorder()
    for run in (run_validate, run_prepare, run_tokenize):
        run(settings, paths, recorder)
    print(run_train(settings, paths, recorder))
    print(run_evaluate(settings, paths, recorder))
    counts = digit_errors(paths.evaluation / "predictions.jsonl")
    chance = np.random.default_rng(SEED)
    drawn = counts[chance.integers(0, len(counts), size=(RESAMPLES, len(counts)))].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    errors, total = counts.sum(axis=0)
    print(f"digit error rate {errors / total:.2%} ({errors} errors in {total} digits, 95 % from {low:.2%} to {high:.2%})")


if __name__ == "__main__":
    main()
