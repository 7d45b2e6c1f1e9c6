"""Planted leaks that ``prepare.leakage: similar`` finds, and clean pairs of train that it drops, by threshold.

    python benchmarks/leakage.py FOLDER          a folder with train.tsv, dev.tsv and test_2016_flickr.tsv (source TAB target)

200 pairs of each kind are made of dev and test: one word of the source changed, one left out (both beside another pair's target),
the target alone, and the sides exchanged. "clean" is the share of all pairs of train that is dropped: some of them do leak.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from random import Random

from seq2seq_core.corpus.leakage.similar_leaks import SimilarLeaks

Pair = tuple[str, str]
PLANTED, FEWEST_FOUND, MOST_CLEAN = 200, 0.95, 0.003
THRESHOLDS = (0.5, 0.55, 0.6, 0.62, 0.65, 0.7)


def read(path: Path) -> list[Pair]:
    """The pairs of a TSV file."""
    cells = [line.split("\t") for line in path.read_text(encoding="utf-8").split("\n") if line]
    return [(row[0], row[1]) for row in cells]


def alter(text: str, word: str | None, chance: Random) -> str:
    """The text with one word replaced; without it if there is none to take its place."""
    words = text.split()
    place = chance.randrange(len(words))
    words[place : place + 1] = [] if word is None else [word]
    return " ".join(words)


def plant(held_out: list[Pair], train: list[Pair], chance: Random) -> dict[str, list[Pair]]:
    """Leaks of each kind."""

    def drawn() -> list[tuple[Pair, Pair]]:
        return list(zip(chance.sample(held_out, PLANTED), chance.sample(train, PLANTED), strict=True))

    def word() -> str:
        return chance.choice(chance.choice(train)[0].split())

    return {
        "one word changed": [(alter(pair[0], word(), chance), other[1]) for pair, other in drawn()],
        "one word left out": [(alter(pair[0], None, chance), other[1]) for pair, other in drawn()],
        "target only": [(other[0], pair[1]) for pair, other in drawn()],
        "sides exchanged": [(pair[1], pair[0]) for pair, _ in drawn()],
    }


def main() -> None:
    """Prints a line a threshold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    train, dev, test = (read(asked.folder / f"{name}.tsv") for name in ("train", "dev", "test_2016_flickr"))
    leaks = plant([*dev, *test], train, Random(asked.seed))
    print(f"{len(train)} pairs of train, {len(dev) + len(test)} of dev and test; {PLANTED} leaks of each kind, seed {asked.seed}")
    print(f"{'threshold':>9}  {'  '.join(leaks)}  clean dropped  us a text")
    for threshold in THRESHOLDS:
        leaking = SimilarLeaks(threshold)
        for pair in [*dev, *test]:
            leaking.protect(*pair)
        found = [sum(bool(leaking.find(*pair)) for pair in pairs) for pairs in leaks.values()]
        start = time.process_time()
        dropped = sum(bool(leaking.find(*pair)) for pair in train) / len(train)
        microseconds = (time.process_time() - start) / len(train) / 2 * 1e6
        shown = "  ".join(f"{count:>{len(kind)}}" for kind, count in zip(leaks, found, strict=True))
        is_good = min(found) >= FEWEST_FOUND * PLANTED and dropped <= MOST_CLEAN
        print(f"{threshold:9.2f}  {shown}  {dropped:13.2%}  {microseconds:9.1f}{'  as wanted' if is_good else ''}", flush=True)


if __name__ == "__main__":
    main()
