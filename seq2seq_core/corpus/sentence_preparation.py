"""Preparation of monolingual sentences: cleaning, deduplication, and removal of sentences of dev and test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO

from seq2seq_core.config.prepare import PrepareSection
from seq2seq_core.corpus.cleaning import text_rules
from seq2seq_core.corpus.deduplication import DEDUPLICATE, Deduplicator
from seq2seq_core.corpus.funnel import SentenceFunnel, all_taken_away
from seq2seq_core.corpus.leakage.leakage_filter import LeakageFilter
from seq2seq_core.corpus.monolingual import MonolingualReader
from seq2seq_core.corpus.pairs import format_sentence
from seq2seq_core.corpus.reading import PROGRESS_ROWS
from seq2seq_core.errors import UserError


class SentencePreparation:
    """Prepares monolingual corpora, once dev and test are known.

    Args:
        section: rules and policies.
        readers: one for each language.

    Attributes:
        funnels: rows in, dropped and written, by the names of the splits.
    """

    def __init__(self, section: PrepareSection, readers: list[MonolingualReader]) -> None:
        self.section, self.readers = section, readers
        self.funnels = {reader.split: SentenceFunnel() for reader in readers}
        self._leakage = LeakageFilter(section.leakage if readers else "keep", section.leakage_similarity)

    def protect(self, source: str, target: str) -> None:
        """Adds both sides of a dev or test pair, whatever the language: a model of both directions reads either as a source."""
        self._leakage.protect(source, texts=(source, target))
        self._leakage.protect(target, texts=())

    def write(self, folder: Path, on_progress: Callable[[int], None]) -> None:
        """Writes ``monolingual.<language>.jsonl`` of each language.

        Args:
            folder: the output folder.
            on_progress: called with the number of bytes read.

        Raises:
            CorpusError: a file cannot be read.
            UserError: no sentence of a language is left.
        """
        done = 0
        for reader in self.readers:
            with (folder / f"{reader.split}.jsonl").open("w", encoding="utf-8", newline="\n") as file:
                self._write_language(reader, file, done, on_progress)
            done += reader.total_bytes
            _check_not_empty(reader.split, self.funnels[reader.split])

    def _write_language(self, reader: MonolingualReader, file: IO[str], done: int, on_progress: Callable[[int], None]) -> None:
        funnel, rules = self.funnels[reader.split], text_rules(self.section)
        funnel.dropped = dict.fromkeys([*rules, DEDUPLICATE, *self._leakage.rules], 0)
        repeated = Deduplicator("none" if self.section.deduplicate == "none" else "source")
        for row in reader:
            funnel.rows_in += 1
            if funnel.rows_in % PROGRESS_ROWS == 0:
                # Files are read in blocks, so the last rows come after the last byte; only the end may report the total.
                on_progress(done + reader.bytes_read - 1)
            text = self.section.apply(row.source)
            rule = next((name for name, drops in rules.items() if drops(text, text)), None)
            if rule is None and repeated.is_repeated(text, text):
                rule = DEDUPLICATE
            if rule is None:
                rule = self._leakage.find(text)
            if rule is not None:
                funnel.dropped[rule] += 1
                continue
            file.write(format_sentence(text))
            funnel.count_written(text, text)


def _check_not_empty(split: str, funnel: SentenceFunnel) -> None:
    """Raises UserError if no sentence is left; the error names the rules that dropped them."""
    if funnel.rows_out:
        return
    losses = {f"prepare.{rule}": count for rule, count in funnel.dropped.items() if count}
    if not losses:
        raise UserError(f"{split} is empty: the files of corpus.monolingual have no rows; expected at least one")
    raise all_taken_away(split, funnel.rows_in, losses)
