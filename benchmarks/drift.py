"""False alarms of the drift detector over random splits of a corpus, and the planted changes that it finds.

    python benchmarks/drift.py FOLDER ...       folders with train.tsv or all.tsv (source TAB target)

A split draws an older and a newer corpus at random from one: every alarm between them is false. Their profiles are made as
`s2s tokenize` makes them, so that the thresholds come from the older part alone. A planted change is made to the newer part.
Chance decides how many of 1,000 splits alarm: the promise is kept where the share is at most alpha.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from seq2seq_core.config.register import DriftSection
from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.drift.corpus_profile import Profile
from seq2seq_core.drift.drift_report import DriftReport, compare_profiles
from seq2seq_core.drift.profiling import CorpusProfiler
from seq2seq_core.tokenization.subword import SubwordModel, train_subword

Pair = tuple[str, str]
Change = Callable[[list[Pair], Random], list[Pair]]
SIZES = ((500, 500), (2000, 500), (2000, 2000), (8000, 2000), (8000, 8000))
"""Rows of the older and of the newer part."""
PIECES = 8000
LATIN, GREEK = "abcdefghijklmnopqrstuvwxyz", "αβψδεφγηιξκλμνοπϙρστθωςχυζ"


def read(folder: Path) -> list[Pair]:
    """The pairs of a folder's largest TSV file, each once."""
    file = next(folder / name for name in ("train.tsv", "all.tsv") if (folder / name).is_file())
    cells = [line.split("\t") for line in file.read_text(encoding="utf-8").split("\n") if line]
    return list(dict.fromkeys((row[0], row[1]) for row in cells if len(row) >= 2 and row[0] and row[1]))


def profile(pairs: Sequence[Pair], models: tuple[SubwordModel, SubwordModel], is_old: bool) -> Profile:
    """The profile of some pairs; of the newer part without what chance does, which nobody asks for."""
    profiler = CorpusProfiler(len(pairs), has_chance=is_old)
    profiler.add([source for source, _ in pairs], [target for _, target in pairs])
    return profiler.profile(*models)


def train_models(pairs: Sequence[Pair]) -> tuple[SubwordModel, SubwordModel]:
    """The vocabulary of each side."""
    sides = [[pair[side] for pair in pairs] for side in (0, 1)]
    source, target = (
        train_subword(texts, SubwordSettings(vocabulary_size=PIECES, training_texts=20_000), "benchmark") for texts in sides
    )
    return source, target


def lower_cased(pairs: list[Pair], _: Random) -> list[Pair]:
    """Both sides in small letters."""
    return [(source.lower(), target.lower()) for source, target in pairs]


def untranslated(pairs: list[Pair], chance: Random) -> list[Pair]:
    """One row of twenty with its source as target."""
    return [(source, source if chance.random() < 0.05 else target) for source, target in pairs]


def other_script(pairs: list[Pair], chance: Random) -> list[Pair]:
    """One row of ten with its source in other letters."""
    table = str.maketrans(LATIN, GREEK[: len(LATIN)])
    return [(source.lower().translate(table) if chance.random() < 0.1 else source, target) for source, target in pairs]


def longer(pairs: list[Pair], chance: Random) -> list[Pair]:
    """Half of the rows joined with another row."""
    others = chance.sample(pairs, len(pairs))
    joined = [(f"{pair[0]} {other[0]}", f"{pair[1]} {other[1]}") for pair, other in zip(pairs, others, strict=True)]
    return [long if chance.random() < 0.5 else pair for pair, long in zip(pairs, joined, strict=True)]


def repeating(pairs: list[Pair], chance: Random) -> list[Pair]:
    """One source of ten replaced by that of another row."""
    return [(chance.choice(pairs)[0] if chance.random() < 0.1 else source, target) for source, target in pairs]


CHANGES: dict[str, Change] = {
    "lower case": lower_cased,
    "5 % untranslated": untranslated,
    "10 % in another script": other_script,
    "half of the rows joined": longer,
    "10 % repeated sources": repeating,
}


class Splits:
    """Random splits of one corpus.

    Args:
        pairs: all of it.
        section: alpha and the minimal effect.
    """

    def __init__(self, pairs: list[Pair], section: DriftSection) -> None:
        self.pairs, self.section, self.models = pairs, section, train_models(pairs)

    def compare(
        self, sizes: tuple[int, int], seed: int, change: Change | None = None, other: list[Pair] | None = None
    ) -> DriftReport:
        """One split, or an older part against rows that were changed, or of another corpus."""
        chance = Random(seed)
        drawn = chance.sample(self.pairs, sum(sizes))
        old, new = drawn[: sizes[0]], drawn[sizes[0] :]
        if other is not None:
            new = chance.sample(other, sizes[1])
        elif change is not None:
            new = change(new, chance)
        profiles = (profile(old, self.models, True), profile(new, self.models, False))
        return compare_profiles(*profiles, ("the older", "the newer"), self.section.alpha, self.section.minimal_effect)


def count_false(splits: Splits, sizes: tuple[int, int], number: int) -> str:
    """The share of splits with a false alarm, also without a minimal effect, and the measures that gave one."""
    with_floor, by_chance, named = 0, 0, Counter[str]()
    for seed in range(number):
        report = splits.compare(sizes, seed)
        with_floor += bool(report.alarms)
        over = [one.name for one in report.measures if one.effect > one.by_chance]
        by_chance += bool(over)
        named.update(over)
    most = ", ".join(f"{name} {count}" for name, count in named.most_common(3))
    return f"{with_floor / number:.2%} | {by_chance / number:.2%} | {most or '–'}"


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--splits", type=int, default=1000)
    parser.add_argument("--power-splits", type=int, default=20)
    parser.add_argument("--sizes", nargs="*", default=[f"{old},{new}" for old, new in SIZES], help="OLD,NEW rows")
    parser.add_argument("--alpha", type=float, default=DriftSection().alpha)
    asked = parser.parse_args()
    sizes = [(int(old), int(new)) for old, new in (text.split(",") for text in asked.sizes)]
    section = DriftSection(alpha=asked.alpha)
    corpora = {folder.name: read(folder) for folder in asked.folders}
    made = {name: Splits(pairs, section) for name, pairs in corpora.items()}
    if asked.splits:
        print(f"False alarms of {asked.splits} splits; alpha {section.alpha:g}, minimal effect {section.minimal_effect:g}\n")
        print("| corpus | older rows | newer rows | splits with an alarm | without a minimal effect | most by | CPU s |")
        print("|---|---|---|---|---|---|---|")
    for name, splits in made.items() if asked.splits else ():
        for old, new in sizes:
            if old + new <= len(splits.pairs):
                start = time.process_time()
                counted = count_false(splits, (old, new), asked.splits)
                print(f"| {name} | {old} | {new} | {counted} | {time.process_time() - start:.0f} |", flush=True)
    if asked.power_splits:
        print(f"\nChanges that were found, of {asked.power_splits} splits each\n")
        print("| corpus | older rows | newer rows | change | found | by |")
        print("|---|---|---|---|---|---|")
    for name, splits in made.items() if asked.power_splits else ():
        others = [other for other in corpora if other != name]
        cases: list[tuple[str, Change | None, list[Pair] | None]] = [(label, change, None) for label, change in CHANGES.items()]
        cases += [(f"rows of {other}", None, corpora[other]) for other in others[:1]]
        for old, new in sizes:
            if old + new > len(splits.pairs):
                continue
            for label, change, other in cases:
                reports = [splits.compare((old, new), seed, change, other) for seed in range(asked.power_splits)]
                named = Counter(one.name for report in reports for one in report.alarms)
                found, most = sum(bool(report.alarms) for report in reports), ", ".join(key for key, _ in named.most_common(2))
                print(f"| {name} | {old} | {new} | {label} | {found / len(reports):.0%} | {most or '–'} |", flush=True)


if __name__ == "__main__":
    main()
