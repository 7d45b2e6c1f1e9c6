"""Digits and digit strings of the Free Spoken Digit Dataset with their words: one corpus for recognition and for synthesis.

Every single digit is a row, and so are strings of two to five of them with short pauses, by one speaker each. Test has the
official test recordings (index 0 to 4), dev index 5 to 7, train the rest. A fixed seed decides strings and pauses.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.measured.digit_strings import SAMPLE_RATE, SEED, Voices, join, read_digits
from seq2seq_core.audio.sound_file import write_wav

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PAUSE_SECONDS, LENGTHS = (0.05, 0.15), (2, 5)
STRINGS_OF_A_SPEAKER = {"train": 400, "dev": 20, "test": 30}


def spoken_rows(voices: Voices, strings: int, chance: random.Random) -> Iterator[tuple[str, list[str], NDArray[np.float32]]]:
    """Speaker, words and samples_N of each row of a split.

    Args:
        voices: recordings by speaker and digit.
        strings: number of strings of each speaker.
        chance: the random generator.
    """
    for speaker, digits in sorted(voices.items()):
        for digit, recordings in sorted(digits.items()):
            for samples_N in recordings:
                yield speaker, [WORDS[int(digit)]], samples_N
        for _ in range(strings):
            chosen = [chance.choice(sorted(digits)) for _ in range(chance.randint(*LENGTHS))]
            parts = [chance.choice(digits[digit]) for digit in chosen]
            yield speaker, [WORDS[int(digit)] for digit in chosen], join(parts, chance, PAUSE_SECONDS)


def build_spoken_strings(corpora: Path, folder: Path) -> None:
    """Writes two corpora of the same recordings, unless they exist: ``spoken`` (words to recordings) and ``heard`` (the reverse).

    Args:
        corpora: the folder of all corpora; reads ``fsdd/recordings``.
        folder: the output folder, whose parent must exist.
    """
    if folder.exists():
        return
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    tables: dict[str, list[str]] = {}
    for split, voices in read_digits(corpora / "fsdd" / "recordings").items():
        chance = random.Random(f"{SEED} {split}")
        for side in ("spoken", "heard"):
            (draft / side / split).mkdir(parents=True)
            tables[f"{side}/{split}.tsv"] = ["source\ttarget\tspeaker\tdigits"]
        rows = spoken_rows(voices, STRINGS_OF_A_SPEAKER[split], chance)
        for number, (speaker, words, samples_N) in enumerate(rows):
            name, text = f"{split}/{number:05}.wav", " ".join(words)
            write_wav(draft / "spoken" / name, samples_N, SAMPLE_RATE)
            os.link(draft / "spoken" / name, draft / "heard" / name)
            tables[f"spoken/{split}.tsv"].append(f"{text}\t{name}\t{speaker}\t{len(words)}")
            tables[f"heard/{split}.tsv"].append(f"{name}\t{text}\t{speaker}\t{len(words)}")
    for name, lines in tables.items():
        (draft / name).write_text("\n".join([*lines, ""]), encoding="utf-8", newline="\n")
    draft.replace(folder)
