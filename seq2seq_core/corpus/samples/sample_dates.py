"""The bundled sample corpus: written-out dates in seven languages and five scripts, paired with their ISO 8601 form.

The dates are written by Babel from CLDR's locale data, so the bytes depend on Babel's version (and on nothing else: choices are
made by SHA-256, not by ``random``). ``requirements.lock`` pins it; a test holds the digests.

The column ``novelty`` names what is new in a row of the test set:

- ``none``: dates that do not occur in train, in years and written formats that do;
- ``year``: years that occur in no language of train or dev;
- ``format``: abbreviated weekday together with day, month and year (CLDR ``yMMMEd``), which no language of train or dev has,
  while its parts (the abbreviated weekday, the abbreviated month) do occur there in other formats.

No date of test or dev occurs in train in any language or format, and no written date has two meanings: numeric formats are taken
only from locales that agree on the order (day first in en_GB, fr, es, de and ru, year first in zh and ja; never en_US).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path

from seq2seq_core.corpus.samples.sample_tables import write_tables
from seq2seq_core.errors import UserError

COLUMNS = ("source", "target", "language", "format", "novelty")
FIRST_YEAR, LAST_YEAR = 1900, 2099
HELD_OUT_FORMAT = "yMMMEd"
TRAIN_ROWS, DEV_ROWS = 1100, 75
"""Rows of each language."""
TEST_ROWS = {"none": 70, "year": 50, "format": 50}
"""Rows of each language, by novelty."""
DEV_SHARE, TEST_SHARE = 0.05, 0.15
"""Shares of the days of the years that are not held out."""

SEEN_FORMATS: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {"en_US": ("full", "long", "medium"), "en_GB": ("full", "long", "medium", "yMEd", "yMd")},
    "de": {"de_DE": ("full", "long", "medium", "yMMMd", "yMEd", "yMd"), "de_AT": ("full", "yMMMd")},
    "fr": {"fr_FR": ("full", "long", "medium", "yMEd", "yMd")},
    "es": {"es_ES": ("full", "long", "medium", "yMEd", "yMd"), "es_MX": ("medium", "yMMMMEd"), "es_AR": ("yMMMd",)},
    "ru": {"ru_RU": ("full", "long", "medium", "yMEd", "yMd")},
    "zh": {"zh_Hans_CN": ("full", "long", "yMEd", "yMd"), "zh_Hant_TW": ("full", "yMEd")},
    "ja": {"ja_JP": ("full", "long", "medium", "yMEd", "yMd")},
}
"""The CLDR formats of train by language and locale: lengths (``full``) and skeletons (``yMEd``)."""
HELD_OUT_LOCALES = {
    "en": ("en_US", "en_GB"), "de": ("de_DE", "de_AT"), "fr": ("fr_FR",), "es": ("es_ES", "es_MX"),
    "ru": ("ru_RU",), "zh": ("zh_Hans_CN", "zh_Hant_TW"), "ja": ("ja_JP",),
}  # fmt: skip
"""The locales that write the held-out format of test."""


@dataclass(frozen=True)
class WrittenDate:
    """One row of the sample corpus; the fields are its columns."""

    source: str
    target: str
    language: str
    format: str
    novelty: str


@dataclass(frozen=True)
class SampleSummary:
    """What :func:`write_sample_corpus` wrote.

    Attributes:
        folder: the corpus folder.
        rows: number of pairs by split.
        digests: SHA-256 (hexadecimal) by file name.
        note: what else is told of it.
    """

    folder: Path
    rows: dict[str, int]
    digests: dict[str, str]
    note: str = ""

    def __str__(self) -> str:
        """``data/raw/dates: 7700 pairs of train, ...``."""
        return f"{self.folder}: " + ", ".join(f"{rows} pairs of {split}" for split, rows in self.rows.items()) + self.note


def write_sample_corpus(folder: Path, is_forced: bool = False) -> SampleSummary:
    """A summary of the sample corpus, written as ``train.tsv``, ``dev.tsv`` and ``test.tsv`` with a header row.

    Args:
        folder: the output folder, created if missing; other files stay.
        is_forced: whether tables of the same names with other content are replaced.

    Raises:
        UserError: Babel is not installed, or a table would be lost.
    """
    splits = generate_splits()
    texts = {
        f"{split}.tsv": "".join("\t".join(cells) + "\n" for cells in (COLUMNS, *map(_cells, rows)))
        for split, rows in splits.items()
    }
    digests = write_tables(folder, texts, is_forced)
    return SampleSummary(folder, {split: len(rows) for split, rows in splits.items()}, digests)


def generate_splits() -> dict[str, list[WrittenDate]]:
    """The rows of train, dev and test, the same at every call.

    Raises:
        UserError: Babel is not installed.
    """
    splits: dict[str, list[WrittenDate]] = {"train": [], "dev": [], "test": []}
    taken: dict[str, str] = {}
    for language, locales in SEEN_FORMATS.items():
        seen = [(locale, name) for locale, names in locales.items() for name in names]
        held_out = [(locale, HELD_OUT_FORMAT) for locale in HELD_OUT_LOCALES[language]]
        splits["train"] += _draw_rows(language, seen, TRAIN_ROWS, "train", "none", taken)
        splits["dev"] += _draw_rows(language, seen, DEV_ROWS, "dev", "none", taken)
        for novelty, count in TEST_ROWS.items():
            cells = held_out if novelty == "format" else seen
            splits["test"] += _draw_rows(language, cells, count, "test", novelty, taken)
    _assert_leak_free(splits)
    return {split: sorted(rows, key=lambda row: _hash(f"order|{row.source}")) for split, rows in splits.items()}


def _draw_rows(
    language: str, cells: Sequence[tuple[str, str]], count: int, split: str, novelty: str, taken: dict[str, str]
) -> list[WrittenDate]:
    """``count`` rows, spread evenly over (locale, format) cells, with sources that ``taken`` (source to target) lacks."""
    partition = "year" if novelty == "year" else split
    streams = [(locale, name, _draw_days(f"{split}|{novelty}|{locale}|{name}", partition)) for locale, name in cells]
    rows: list[WrittenDate] = []
    turn = 0
    while len(rows) < count:
        locale, name, days = streams[turn % len(streams)]
        turn += 1
        day = next(days)
        source = write_date(day, locale, name)
        # "6 May 2025" is a long and a medium form, "2025/5/6" Chinese and Japanese: the first one drawn keeps it.
        if source in taken:
            assert taken[source] == day.isoformat(), f"{source!r} has two meanings"
        else:
            taken[source] = day.isoformat()
            rows.append(WrittenDate(source, day.isoformat(), language, name, novelty))
    return rows


def _draw_days(stream: str, partition: str) -> Iterator[date]:
    """An endless stream of days of one partition, the same for the same ``stream``."""
    first = date(FIRST_YEAR, 1, 1)
    num_days = (date(LAST_YEAR, 12, 31) - first).days + 1
    index = 0
    while True:
        day = first + timedelta(days=_hash(f"draw|{stream}|{index}") % num_days)
        index += 1
        if _partition(day) == partition:
            yield day


def _partition(day: date) -> str:
    """The partition of a day, the same in every language: ``train``, ``dev``, ``test``, or ``year`` (test, held-out year)."""
    if day.year in held_out_years():
        return "year"
    share = _hash(f"day|{day.isoformat()}") / 2**256
    return "test" if share < TEST_SHARE else "dev" if share < TEST_SHARE + DEV_SHARE else "train"


@cache
def held_out_years() -> frozenset[int]:
    """The years of ``novelty`` ``year``: one of each decade."""
    return frozenset(decade + _hash(f"year|{decade}") % 10 for decade in range(FIRST_YEAR, LAST_YEAR, 10))


def write_date(day: date, locale: str, name: str) -> str:
    """A day as people of a locale write it.

    CLDR's no-break spaces (before the Russian ``г.``) become plain spaces, as people type them.

    Args:
        day: the day.
        locale: such as ``en_GB``.
        name: a CLDR length (``full``, ``long``, ``medium``) or a skeleton that the locale has (``yMEd``).

    Raises:
        UserError: Babel is not installed.
    """
    try:
        from babel.dates import format_date
    except ModuleNotFoundError:
        raise UserError("the sample corpus is generated with Babel, which is not installed; run: pip install babel") from None
    return str(format_date(day, _pattern(locale, name), locale=locale)).replace("\u202f", " ").replace("\u00a0", " ")


@cache
def _pattern(locale: str, name: str) -> str:
    """CLDR's pattern of a length or skeleton, such as ``EEEE, d MMMM y``."""
    from babel import Locale

    known = Locale.parse(locale)
    # A skeleton must be the locale's own: Babel's nearest match would silently write another format.
    return str((known.date_formats if name in known.date_formats else known.datetime_skeletons)[name].pattern)


def _hash(text: str) -> int:
    """A 256-bit number that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(f"seq2seq-flows dates 1|{text}".encode()).digest(), "big")


def _cells(row: WrittenDate) -> tuple[str, ...]:
    return (row.source, row.target, row.language, row.format, row.novelty)


def _assert_leak_free(splits: dict[str, list[WrittenDate]]) -> None:
    """Checks the guarantees in the module's docstring."""
    train_days = {row.target for row in splits["train"]}
    for split in ("dev", "test"):
        assert not train_days & {row.target for row in splits[split]}, f"a day of {split} stands in train"
    for row in (row for rows in splits.values() for row in rows):
        assert not set("\t\r\n\u00a0\u202f") & set(row.source), f"{row.source!r} would not be one plain cell"
