"""The distillation of a prepared corpus: asks a teacher for targets of train's sources, and adds the pairs that are fit to learn.

Only pairs that are about to be written to train are asked about: those that leak from dev or test, or are carved out for them,
never get here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.config_file import read_config
from seq2seq_core.config.prepare import Distill
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.cleaning import cleaning_rules
from seq2seq_core.corpus.deduplication import DEDUPLICATE, Deduplicator
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.normalization import digest, normalize_nearly
from seq2seq_core.corpus.pairs import SOURCE, TARGET, format_pair, iterate_pairs
from seq2seq_core.corpus.preparation.funnel import TEACHER, Funnel
from seq2seq_core.corpus.preparation.row_samples import RowSamples
from seq2seq_core.distillation.asked_sources import AskedSources
from seq2seq_core.distillation.repetition import most_repetitions
from seq2seq_core.distillation.teacher import Teacher, find_teacher
from seq2seq_core.distillation.teacher_decoding import ANSWER, decode_sources
from seq2seq_core.normal_form import is_blank

FAILED, EMPTY, CUT, REPETITIVE = "teacher_failed", "teacher_empty", "teacher_cut", "teacher_repetitive"
"""The rules of outputs, in the order in which they are tried; their names in the funnel."""
SOURCES_FILE = "sources.jsonl"


class Distillation:
    """One execution.

    Args:
        settings: the teacher, and how it is used.
        all_settings: the cleaning rules and the deduplication of section ``prepare``; section ``runtime``.
        paths: the workspace; keeps what is decoded in ``.s2s/distill``.

    Attributes:
        teacher: the teacher.

    Raises:
        UserError, BundleError, TrackingUnreachable: see :func:`~seq2seq_core.distillation.teacher.find_teacher`.
    """

    def __init__(self, settings: Distill, all_settings: Settings, paths: Paths) -> None:
        self.settings, self.all_settings, self.room = settings, all_settings, paths.distillation
        self.section, self.teacher_file = all_settings.prepare, paths.prepared_teacher.name
        self.teacher: Teacher = find_teacher(settings, paths)
        self.room.mkdir(parents=True, exist_ok=True)
        tags = read_config(self.teacher.found.folder).config.tags.all
        self._file = (self.room / SOURCES_FILE).open("w", encoding="utf-8", newline="\n")
        self._asked = AskedSources(self._file, tags, self.section.deduplicate)

    def keeps(self, source: str) -> bool:
        """Whether the own pair of a source stays; a growing corpus never changes it.

        Args:
            source: of a train pair.
        """
        return digest("real pairs", normalize_nearly(source)) / 2**64 < self.settings.real_pairs

    def ask(self, pair: Mapping[str, str]) -> None:
        """Asks for the teacher's target of the source of a train pair.

        Args:
            pair: all its columns.
        """
        self._asked.add(pair)

    def close(self) -> None:
        """Closes the file of the sources."""
        self._file.close()

    def add_pairs(self, folder: Path, train: Funnel, samples: RowSamples) -> dict[str, Funnel]:
        """Adds the teacher's pairs to ``train.jsonl``, behind the others; the counts of its outputs, by their name in the funnel.

        Args:
            folder: of the prepared corpus; also gets ``teacher.json``.
            train: receives the counts of what is added.
            samples: receives the outputs that are dropped.
        """
        self.close()
        self.teacher.record.save(folder / self.teacher_file)
        counts, file = Funnel(dropped=dict.fromkeys(self._rule_names(), 0)), folder / "train.jsonl"
        rows = decode_sources(self.teacher, self.settings.beam_size, self._asked.path, self.room, self.all_settings.runtime)
        repeated = self._deduplicator(file)
        with file.open("a", encoding="utf-8", newline="\n") as stream:
            for pair in self._fit_pairs(rows, repeated, counts, samples):
                stream.write(format_pair(pair))
                counts.count_written(pair[SOURCE], pair[TARGET])
                train.count_written(pair[SOURCE], pair[TARGET])
                train.taught += 1
        return {TEACHER: counts}

    def _rule_names(self) -> list[str]:
        return [FAILED, EMPTY, CUT, REPETITIVE, *cleaning_rules(self.section), DEDUPLICATE]

    def _deduplicator(self, train: Path) -> Deduplicator:
        """What finds pairs of the teacher that repeat one of train; by sources, they are compared with each other alone."""
        repeated = Deduplicator(self.section.deduplicate)
        if self.section.deduplicate == "pair":
            for pair in iterate_pairs(train):
                repeated.is_repeated(pair[SOURCE], pair[TARGET], self._inputs(pair))
        return repeated

    def _inputs(self, pair: Mapping[str, str]) -> list[str]:
        return [pair.get(name, "") for name in self.all_settings.corpus.input_columns]

    def _fit_pairs(
        self, rows: Iterator[dict[str, Any]], repeated: Deduplicator, counts: Funnel, samples: RowSamples
    ) -> Iterator[dict[str, str]]:
        """The teacher's pairs that are fit to learn, with the columns of the pairs that they come of."""
        rules = cleaning_rules(self.section)
        for row in rows:
            counts.rows_in += 1
            pair = {name: value for name, value in row.items() if not name.startswith(ANSWER)}
            text = self.section.apply(row[ANSWER] or "")
            rule = _fault_of(row, text, pair[TARGET], self.settings.max_repetitions)
            rule = rule or next((name for name, drops in rules.items() if drops(pair[SOURCE], text)), "")
            if not rule and repeated.is_repeated(pair[SOURCE], text, self._inputs(pair)):
                rule = DEDUPLICATE
            if rule:
                counts.dropped[rule] += 1
                samples.add_dropped(TEACHER, rule, Row(pair[SOURCE], text, {}, "", 0))
            else:
                yield pair | {TARGET: text}


def _fault_of(row: Mapping[str, Any], text: str, own_target: str, max_repetitions: int) -> str:
    """The rule that an output breaks; empty: none."""
    if row[f"{ANSWER}_error"]:
        return FAILED
    if is_blank(text):
        return EMPTY
    if row[f"{ANSWER}_is_cut"] or row[f"{ANSWER}_source_is_cut"]:
        return CUT
    if max_repetitions and most_repetitions(text) > max(max_repetitions, most_repetitions(own_target)):
        return REPETITIVE
    return ""
