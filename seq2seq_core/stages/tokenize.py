"""``tokenize``: makes or keeps subword models, and encodes every split as memory-mapped ids (recordings and pictures as frames)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq_core import atomic
from seq2seq_core.artifacts import MONOLINGUAL, SPLITS, Paths
from seq2seq_core.cluster.connection import Cluster, open_cluster
from seq2seq_core.config.settings import Settings
from seq2seq_core.config.tokenize import TokenizeSection
from seq2seq_core.console import progress
from seq2seq_core.corpus.pairs import SOURCE, TARGET, count_lines, iterate_sentences
from seq2seq_core.drift.profiling import CorpusProfiler
from seq2seq_core.encoding.kept_encoding import open_kept_encoding
from seq2seq_core.encoding.pair_reading import PairReader, alternates, number_pairs
from seq2seq_core.errors import UserError
from seq2seq_core.normal_form import NormalForm, load_normal_form
from seq2seq_core.recorder import Recorder
from seq2seq_core.stages.tokenizer_making import make_tokenizers
from seq2seq_core.tokenization.description import flatten, make_manifest, make_report, source_info
from seq2seq_core.tokenization.encode import (
    CHUNK_PAIRS,
    LengthLimits,
    Tokenizers,
    encode_sentences,
    encode_split,
    in_chunks,
    write_sentences,
    write_split,
)
from seq2seq_core.tokenization.reading_ahead import read_ahead
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.tokenization.tags import TagColumns
from seq2seq_core.tokenization.token_counts import SentenceCounts, SplitCounts
from seq2seq_core.tokenization.vocabulary_coverage import check_coverage

_quote = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True)
class TokenizeResult:
    """The result of ``tokenize``.

    Attributes:
        source_vocabulary_size: number of ids of the source side; 0 where the sources are frames.
        target_vocabulary_size: number of ids of the target side.
        pairs: number of pairs written, by split.
        dropped_too_long: number of train pairs dropped because a side was too long.
    """

    source_vocabulary_size: int
    target_vocabulary_size: int
    pairs: dict[str, int]
    dropped_too_long: int


def run_tokenize(settings: Settings, paths: Paths, recorder: Recorder) -> TokenizeResult:
    """Writes ``data/tokenized``, ``reports/tokenize.json`` and ``reports/corpus_profile.json``.

    Args:
        settings: the section ``tokenize``; of ``runtime`` the progress display.
        paths: the workspace; reads ``data/prepared``, writes ``data/tokenized`` and both reports.
        recorder: receives the report and its figures.

    Raises:
        MissingInput: a prepared split is missing.
        CorpusError: a pair lacks a tag column, or has a tag that train does not have.
        ContractViolation: the vocabulary covers too little of a split.
        UserError: train has no text, all its pairs are too long, a vocabulary is too small or not the one that the settings
            describe, a recording or picture cannot be used, or a mel band is empty.
        BundleError, TrackingUnreachable: the model whose vocabulary is kept cannot be used or fetched.
    """
    section = settings.tokenize
    if section.speech is not None:
        from seq2seq_core.encoding.speech_encoding import encode_speech

        return TokenizeResult(*encode_speech(settings, paths, recorder))
    tags = TagColumns(
        source=tuple(section.source_tags),
        target=tuple(section.target_tags),
        separator=section.tag_separator,
        unknown=section.unknown_tags,
    )
    languages, normal_form = paths.prepared_languages(), load_normal_form(paths.prepared_normal_form)
    tokenizers = make_tokenizers(section, tags, normal_form, languages, paths, recorder)
    source_model = tokenizers.source if isinstance(tokenizers.source, SubwordModel) else None
    with open_cluster("tokenize", settings, paths) as cluster, atomic.new_folder(paths.tokenized) as draft:
        encoding = _Encoding(settings, paths, tokenizers, tags, normal_form, draft, cluster)
        if source_model is not None:
            source_model.save(draft / "source.model")
        tokenizers.target.save(draft / "target.model")
        counts = {split: encoding.encode(split) for split in SPLITS}
        sentences = {language: encoding.encode_language(language) for language in languages}
        _check_train(counts["train"], section, has_sentences=bool(languages))
        _copy_dev_texts(paths, section.group_columns, draft)
        make_manifest(tokenizers, counts, sentences, section, tags, normal_form, draft).save(draft)
    report = make_report(tokenizers, counts, sentences, is_cut=section.long_source != "drop")
    atomic.write_text(paths.tokenize_report, json.dumps(report, indent=1) + "\n")
    atomic.write_text(paths.corpus_profile, encoding.profiler.profile(source_model, tokenizers.target).to_json())
    if encoding.kept is not None:
        encoding.kept.close()
    recorder.log_metrics(flatten(report))
    recorder.log_file(paths.tokenize_report, "reports")
    return TokenizeResult(
        source_vocabulary_size=source_info(tokenizers).vocabulary_size,
        target_vocabulary_size=tokenizers.target.vocabulary_size,
        pairs={split: count.pairs for split, count in counts.items()},
        dropped_too_long=counts["train"].dropped_too_long,
    )


class _Encoding:
    """The encoding of a corpus by tokenisers that are made.

    Args:
        settings: the section ``tokenize``; of ``runtime`` the progress display.
        paths: the workspace.
        tokenizers: of the two sides.
        tags: the columns that become tags.
        normal_form: of their values.
        draft: receives the files.
        cluster: encodes blocks; None: this process does.
    """

    def __init__(
        self,
        settings: Settings,
        paths: Paths,
        tokenizers: Tokenizers,
        tags: TagColumns,
        normal_form: NormalForm,
        draft: Path,
        cluster: Cluster | None = None,
    ) -> None:
        self.section, self.mode, self.paths, self.draft = settings.tokenize, settings.runtime.progress, paths, draft
        self.tokenizers, self.tags, self.normal_form = tokenizers, tags, normal_form
        has_recordings = not isinstance(tokenizers.source, SubwordModel)
        self._num_lines = {split: count_lines(paths.prepared_split(split)) for split in SPLITS}
        self.profiler = CorpusProfiler(self._num_lines["train"], has_recordings)
        self.kept = open_kept_encoding(settings, paths, tokenizers, cluster)

    def encode(self, split: str) -> SplitCounts:
        """Encodes a split and writes its ids."""
        section, path = self.section, self.paths.prepared_split(split)
        columns = section.group_columns if split != "test" else []
        has_groups = split == "train" and bool(columns)
        reader = PairReader(path, self.tokenizers, self.tags, self.normal_form, columns)
        profiler, limits = self.profiler if split == "train" else None, _limits(section, split)
        with progress(f"tokenize {split}", self._num_lines[split], "pairs", self.mode) as shown:
            if self.kept is not None and not alternates(path, columns):
                encoded = self.kept.pairs(reader, limits, profiler)
                counts = write_split(encoded, self.tokenizers, self.draft, split, has_groups, shown.update)
            else:
                chunks = reader.chunks() if profiler is None else profiler.watch(reader.chunks())
                counts = encode_split(chunks, self.tokenizers, self.draft, split, limits, has_groups, shown.update)
        check_coverage(path, counts, self.tokenizers, section)
        return counts

    def encode_language(self, language: str) -> SentenceCounts:
        """Encodes the monolingual sentences of a language and writes their ids."""
        section, path, name = self.section, self.paths.prepared_sentences(language), f"{MONOLINGUAL}.{language}"
        # A sentence is also used as a source, after one tag per source tag column.
        limit = min(section.max_source_tokens - len(section.source_tags), section.max_target_tokens)
        tokenizer = self.tokenizers.target
        with progress(f"tokenize {name}", count_lines(path), "sentences", self.mode) as shown:
            if self.kept is not None:
                encoded = self.kept.sentences(path, limit)
            else:
                chunks = read_ahead(in_chunks(iterate_sentences(path), CHUNK_PAIRS))
                encoded = (encode_sentences(chunk, tokenizer, limit) for chunk in chunks)
            counts = write_sentences(encoded, tokenizer, self.draft, name, shown.update)
        if not counts.text.rows:
            raise UserError(
                f"tokenize.max_source_tokens, tokenize.max_target_tokens: all {counts.dropped_too_long} sentences of {name} are "
                f"longer than {limit} tokens, expected at least one that is not"
            )
        return counts


def _limits(section: TokenizeSection, split: str) -> LengthLimits:
    """The length limits of a split, for dropping pairs and for cutting sources."""
    is_train, is_cut = split == "train", section.long_source != "drop"
    return LengthLimits(
        source=section.max_source_tokens if is_train else None,
        target=section.max_target_tokens if is_train else None,
        cut_source=section.max_source_tokens if is_cut else None,
        keeps_end=section.long_source == "truncate_start",
    )


def _check_train(counts: SplitCounts, section: TokenizeSection, has_sentences: bool) -> None:
    if counts.pairs or (has_sentences and not counts.dropped_too_long):
        return
    raise UserError(
        f"tokenize.max_source_tokens, tokenize.max_target_tokens: all {counts.dropped_too_long} train pairs are longer than "
        f"{section.max_source_tokens} source or {section.max_target_tokens} target tokens, expected at least one that is not"
    )


def _copy_dev_texts(paths: Paths, group_columns: Sequence[str], draft: Path) -> None:
    """Writes ``dev.jsonl``, so that ``train`` can score decoded text without the prepared corpus."""
    with (draft / "dev.jsonl").open("w", encoding="utf-8", newline="\n") as file:
        for _, pair in number_pairs(paths.prepared_split("dev"), group_columns):
            # As json.dumps would write it, which makes an encoder for each line.
            file.write(f'{{"{SOURCE}": {_quote(pair[SOURCE])}, "{TARGET}": {_quote(pair[TARGET])}}}\n')
