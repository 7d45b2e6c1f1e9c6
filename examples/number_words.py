"""Writes a small corpus to try things with: numbers in English words, and the same in digits.

python examples/number_words.py data/raw/numbers

The folder gets train.tsv, dev.tsv and test.tsv with the columns source and target. The numbers are drawn once, from a fixed
seed, and none is in two files: the test asks for numbers that training has not shown.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["_", "_", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def in_words(number: int) -> str:
    """A number in English words, such as ``four hundred and twelve``.

    Args:
        number: from 0 to 999,999.
    """
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10] + (f"-{ONES[number % 10]}" if number % 10 else "")
    if number < 1000:
        return f"{ONES[number // 100]} hundred" + (f" and {in_words(number % 100)}" if number % 100 else "")
    rest = number % 1000
    joint = " and " if rest < 100 else " "
    return f"{in_words(number // 1000)} thousand" + (f"{joint}{in_words(rest)}" if rest else "")


def write_corpus(folder: Path, num_pairs: int = 4000, largest: int = 9999, seed: int = 1) -> None:
    """Writes the three files of the corpus; dev and test have a tenth of the pairs each.

    Args:
        folder: of the corpus; is made.
        num_pairs: of all files together.
        largest: the largest number.
        seed: decides which numbers are drawn.
    """
    numbers = random.Random(seed).sample(range(largest + 1), num_pairs)
    tenth = num_pairs // 10
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in {"dev": numbers[:tenth], "test": numbers[tenth : 2 * tenth], "train": numbers[2 * tenth :]}.items():
        rows = [f"{in_words(number)}\t{number}" for number in part]
        (folder / f"{name}.tsv").write_text("\n".join(["source\ttarget", *rows]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the corpus folder, such as data/raw/numbers")
    write_corpus(parser.parse_args().folder)
