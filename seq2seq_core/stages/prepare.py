"""``prepare``: clean, deduplicated pairs in splits that do not leak, and a funnel that accounts for every row."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from seq2seq_core import atomic
from seq2seq_core.artifacts import SPLITS, Paths
from seq2seq_core.config.corpus import CorpusSection
from seq2seq_core.config.prepare import PrepareSection
from seq2seq_core.config.settings import Settings
from seq2seq_core.console import Progress, progress
from seq2seq_core.corpus.cleaning import Rule, cleaning_rules, normalize_text, text_rules
from seq2seq_core.corpus.deduplication import Deduplicator, LeakageFilter
from seq2seq_core.corpus.funnel import Funnel, SentenceFunnel, format_funnels, format_lengths
from seq2seq_core.corpus.monolingual import MonolingualReader, open_monolingual
from seq2seq_core.corpus.pairs import (
    SOURCE,
    SOURCE_LANGUAGE,
    TARGET,
    TARGET_LANGUAGE,
    exchange_sides,
    format_pair,
    format_sentence,
)
from seq2seq_core.corpus.reading import SplitReader
from seq2seq_core.corpus.splitting import assign_split
from seq2seq_core.errors import UserError
from seq2seq_core.recorder import Recorder

logger = logging.getLogger(__name__)

PROGRESS_ROWS = 2000
DEDUPLICATE, LEAKAGE = "deduplicate", "leakage"


@dataclass(frozen=True)
class PrepareResult:
    """What ``prepare`` made.

    Attributes:
        funnels: rows in, dropped, carved out and written, by split.
    """

    funnels: dict[str, Funnel]


class _Preparation:
    """One execution of the stage.

    Args:
        section: the settings.
        corpus: which columns belong to what the model is asked, whether rows are turns of conversations, and whether pairs of
            train also enter with their sides exchanged.
        readers: the corpus's splits.
        monolingual: readers of monolingual sentences.
        folder: where ``{split}.jsonl`` are written.
        bar: shows how far it is, in megabytes read.
    """

    def __init__(
        self,
        section: PrepareSection,
        corpus: CorpusSection,
        readers: dict[str, SplitReader],
        monolingual: list[MonolingualReader],
        folder: Path,
        bar: Progress,
    ) -> None:
        self.section, self.corpus, self.folder, self.bar = section, corpus, folder, bar
        self.readers: dict[str, SplitReader] = {**readers, **{reader.split: reader for reader in monolingual}}
        self.monolingual = monolingual
        self.rules = cleaning_rules(section)
        self.leakage = LeakageFilter(section.leakage)
        self.sentence_leakage = LeakageFilter(section.leakage if monolingual else "keep")
        self.funnels: dict[str, Funnel] = {split: Funnel() for split in SPLITS}
        self.funnels |= {reader.split: SentenceFunnel() for reader in monolingual}
        self._bytes_done = 0
        # A split without files is carved out of train; one with files is not, whatever its fraction says.
        self.dev_fraction = 0.0 if readers["dev"].entries else section.dev_fraction
        self.test_fraction = 0.0 if readers["test"].entries else section.test_fraction

    def run(self) -> None:
        """Writes all splits. Dev and test come first: train must not hold their sources."""
        with ExitStack() as stack:
            files = {split: stack.enter_context(self._open(split)) for split in SPLITS}
            for split in ("dev", "test"):
                if self.readers[split].entries:
                    self._write_evaluation(split, files[split])
            self._write_train(files)
        for reader in self.monolingual:
            with self._open(reader.split) as file:
                self._write_sentences(reader.split, file)

    def _open(self, split: str) -> IO[str]:
        return (self.folder / f"{split}.jsonl").open("w", encoding="utf-8", newline="\n")

    def _write_evaluation(self, split: str, file: IO[str]) -> None:
        """A split of given files: kept whole unless it is to be cleaned as well."""
        funnel = self.funnels[split]
        is_cleaned = self.section.clean_evaluation_splits
        repeated = Deduplicator(self.section.deduplicate if is_cleaned else "none")
        if is_cleaned:
            funnel.dropped = dict.fromkeys([*self.rules, DEDUPLICATE], 0)
        for pair in self._read(split):
            rule = self._broken_rule(pair, repeated) if is_cleaned else None
            if rule is not None:
                funnel.dropped[rule] += 1
                continue
            self.leakage.protect(pair[SOURCE], self._inputs(pair))
            self._protect_from_sentences(pair)
            self._write(split, file, pair)

    def _write_train(self, files: dict[str, IO[str]]) -> None:
        """Train, with dev and test carved out of it where they have no files."""
        funnel = self.funnels["train"]
        funnel.dropped = dict.fromkeys([*self.rules, DEDUPLICATE, LEAKAGE], 0)
        funnel.carved = {split: 0 for split in ("dev", "test") if not self.readers[split].entries}
        repeated = Deduplicator(self.section.deduplicate)
        for pair in self._read("train"):
            rule = self._broken_rule(pair, repeated)
            if rule is None and self.leakage.leaks(pair[SOURCE], self._inputs(pair)):
                rule = LEAKAGE
            if rule is not None:
                funnel.dropped[rule] += 1
                continue
            split = "train"
            if funnel.carved:
                split = assign_split(self._split_key(pair), self.dev_fraction, self.test_fraction, self.section.split_salt)
            if split != "train":
                funnel.carved[split] += 1
                self.funnels[split].rows_in += 1
                self._protect_from_sentences(pair)
            self._write(split, files[split], pair)
            if split == "train" and self.corpus.both_directions:
                self._write_exchanged(_exchange(pair), files[split])

    def _write_exchanged(self, pair: dict[str, str], file: IO[str]) -> None:
        """A pair of train in the other direction, unless that is what dev or test asks."""
        if self.leakage.leaks(pair[SOURCE], self._inputs(pair)):
            return
        self._write("train", file, pair)
        self.funnels["train"].exchanged += 1

    def _write_sentences(self, split: str, file: IO[str]) -> None:
        """Monolingual sentences, without those that are a side of dev or test. They come last: these may be carved out of train."""
        funnel, rules = self.funnels[split], text_rules(self.section)
        funnel.dropped = dict.fromkeys([*rules, DEDUPLICATE, LEAKAGE], 0)
        repeated = Deduplicator("none" if self.section.deduplicate == "none" else "source")
        for pair in self._read(split):
            text = pair[SOURCE]
            rule = self._broken_rule(pair, repeated, rules) or (LEAKAGE if self.sentence_leakage.leaks(text) else None)
            if rule is not None:
                funnel.dropped[rule] += 1
                continue
            file.write(format_sentence(text))
            funnel.count_written(text, text)

    def _protect_from_sentences(self, pair: dict[str, str]) -> None:
        """Keeps both sides of a dev or test pair out of the monolingual sentences, of whatever language."""
        self.sentence_leakage.protect(pair[SOURCE])
        self.sentence_leakage.protect(pair[TARGET])

    def _read(self, split: str) -> Iterator[dict[str, str]]:
        """The split's pairs with normalised texts."""
        reader, funnel = self.readers[split], self.funnels[split]
        for row in reader:
            funnel.rows_in += 1
            if funnel.rows_in % PROGRESS_ROWS == 0:
                # Files are read in blocks, so the last rows come after the last byte; only the end may report the total.
                self.bar.update((self._bytes_done + reader.bytes_read - 1) / 1e6)
            source, target = normalize_text(row.source, self.section), normalize_text(row.target, self.section)
            yield {SOURCE: source, TARGET: target, **row.columns}
        self._bytes_done += reader.total_bytes

    def _broken_rule(self, pair: dict[str, str], repeated: Deduplicator, rules: Mapping[str, Rule] | None = None) -> str | None:
        for name, drops in (self.rules if rules is None else rules).items():
            if drops(pair[SOURCE], pair[TARGET]):
                return name
        return DEDUPLICATE if repeated.is_repeated(pair[SOURCE], pair[TARGET], self._inputs(pair)) else None

    def _inputs(self, pair: dict[str, str]) -> tuple[str, ...]:
        """What the model is asked besides the source."""
        return tuple(pair.get(name, "") for name in self.corpus.input_columns)

    def _split_key(self, pair: dict[str, str]) -> str:
        """What decides a pair's split: its source, or its conversation, whose turns the sources share."""
        conversations = self.corpus.conversations
        return pair[SOURCE] if conversations is None else pair[conversations.id_column]

    def _write(self, split: str, file: IO[str], pair: dict[str, str]) -> None:
        file.write(format_pair(pair))
        self.funnels[split].count_written(pair[SOURCE], pair[TARGET])


def run_prepare(settings: Settings, paths: Paths, recorder: Recorder) -> PrepareResult:
    """Writes ``data/prepared`` and ``reports/prepare.json``.

    Args:
        settings: the sections ``corpus`` and ``prepare``.
        paths: the workspace.
        recorder: receives the counts and the tables of funnel and lengths.

    Raises:
        CorpusError: a file is missing or cannot be read.
        UserError: a split ends up empty; names the rule that dropped most.
    """
    readers = {split: SplitReader(settings.corpus, paths.root, split) for split in SPLITS}
    monolingual = open_monolingual(settings.corpus, paths.root)
    total = sum(reader.total_bytes for reader in (*readers.values(), *monolingual)) / 1e6
    with atomic.new_folder(paths.prepared) as folder:
        with progress("prepare", total, "MB", settings.runtime.progress) as bar:
            preparation = _Preparation(settings.prepare, settings.corpus, readers, monolingual, folder, bar)
            preparation.run()
            bar.update(total)
        for split, funnel in preparation.funnels.items():
            _check_not_empty(split, funnel, preparation)
    funnels = preparation.funnels
    report = {split: funnel.as_report() for split, funnel in funnels.items()}
    atomic.write_text(paths.prepare_report, json.dumps(report, ensure_ascii=False, indent=1) + "\n")
    _record(funnels, report, recorder)
    return PrepareResult(funnels)


def _check_not_empty(split: str, funnel: Funnel, preparation: _Preparation) -> None:
    """Raises an error that says where the rows of an empty split went."""
    if funnel.rows_out or not (preparation.readers[split].entries or split in preparation.funnels["train"].carved):
        return
    train = preparation.funnels["train"]
    if split in train.carved:
        fraction = getattr(preparation.section, f"{split}_fraction")
        raise UserError(
            f"{split} is empty: prepare.{split}_fraction {fraction:g} of the {train.rows_out} pairs left of train gave none; "
            f"expected a larger fraction, or files in corpus.files.{split}"
        )
    losses = {f"prepare.{rule}": count for rule, count in funnel.dropped.items() if count}
    losses |= {f"prepare.{other}_fraction": count for other, count in funnel.carved.items() if count}
    if not losses:
        setting = f"corpus.files.{split}" if split in SPLITS else "corpus.monolingual"
        raise UserError(f"{split} is empty: the files of {setting} have no rows; expected at least one")
    most = max(losses, key=lambda name: losses[name])
    counts = ", ".join(f"{name} {count}" for name, count in losses.items())
    raise UserError(
        f"{split} is empty: of {funnel.rows_in} rows all were taken away, most by {most} ({counts}); expected some to be left"
    )


def _exchange(pair: dict[str, str]) -> dict[str, str]:
    """A pair in the other direction."""
    try:
        return exchange_sides(pair)
    except KeyError as error:
        raise UserError(
            f"corpus.both_directions: must be false unless every pair of train has the columns {SOURCE_LANGUAGE} and "
            f"{TARGET_LANGUAGE}; {error.args[0]} is missing (in the file, or as a constant column in corpus.files.train)"
        ) from None


def _record(funnels: dict[str, Funnel], report: dict[str, dict[str, object]], recorder: Recorder) -> None:
    """Logs the funnel and tells the recorder the numbers."""
    table = format_funnels(funnels)
    for line in table.split("\n"):
        logger.info("%s", line)
    recorder.log_metrics(dict(_flatten("", report)))
    recorder.log_text(f"{table}\n\n{format_lengths(funnels)}\n", "tables/funnel.md")


def _flatten(prefix: str, values: dict[str, dict[str, object]] | dict[str, object]) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(f"{prefix}{name}.", value)
        elif isinstance(value, int | float):
            yield f"{prefix}{name}", float(value)
