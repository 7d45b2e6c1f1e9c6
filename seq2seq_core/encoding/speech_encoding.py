"""``tokenize`` where targets are recordings: ids of the sources, frames of the targets."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq_core import atomic
from seq2seq_core.artifacts import SPLITS, Paths
from seq2seq_core.audio.speech.speech_front_end import SpeechFrontEnd, SpeechReader
from seq2seq_core.config.settings import Settings
from seq2seq_core.config.speech.speech_settings import SpeechSettings
from seq2seq_core.console import progress
from seq2seq_core.corpus.pairs import RECORDING, SOURCE, TARGET, count_lines, iterate_pairs
from seq2seq_core.drift.profiling import CorpusProfiler
from seq2seq_core.encoding.first_recording import rate_of_train
from seq2seq_core.encoding.pair_reading import number_pairs
from seq2seq_core.errors import CorpusError, TagError, UserError
from seq2seq_core.normal_form import load_normal_form
from seq2seq_core.recorder import Recorder
from seq2seq_core.tokenization.description import flatten
from seq2seq_core.tokenization.flat_rows import FlatRows
from seq2seq_core.tokenization.manifest import Manifest, SourceInfo, SplitInfo, TargetInfo, folder_digests
from seq2seq_core.tokenization.ragged import RaggedWriter, id_dtype
from seq2seq_core.tokenization.special_tokens import EOS_ID
from seq2seq_core.tokenization.subword import SubwordModel, train_subword
from seq2seq_core.tokenization.tags import TagColumns, Tags, collect_tags
from seq2seq_core.tokenization.token_counts import SplitCounts

logger = logging.getLogger(__name__)


def encode_speech(settings: Settings, paths: Paths, recorder: Recorder) -> tuple[int, int, dict[str, int], int]:
    """Writes ``data/tokenized`` and the two reports of ``tokenize``.

    Args:
        settings: the section ``tokenize``; of ``runtime`` the progress display.
        paths: the workspace; reads ``data/prepared``.
        recorder: receives the report and its figures.

    Returns:
        the source vocabulary's size, 0 for the target's, the pairs written by split, and the train pairs that were too long.

    Raises:
        MissingInput, CorpusError: a prepared split is missing, or a pair lacks a column or has an unknown tag.
        UserError: train is empty, all its pairs are too long, a recording cannot be used, or a mel band is empty.
    """
    section = settings.tokenize
    assert section.speech is not None, "the caller asks"
    tags = TagColumns(source=tuple(section.source_tags), separator=section.tag_separator, unknown=section.unknown_tags)
    normal_form, train = load_normal_form(paths.prepared_normal_form), paths.prepared_split("train")
    symbols = collect_tags(iterate_pairs(train), tags.source, tags.separator, normal_form) if tags.source else []
    model = train_subword((pair[SOURCE] for pair in iterate_pairs(train)), section.source, "tokenize.source", symbols)
    reader = SpeechReader(_open_front_end(section.speech, paths), paths.prepared_audio)
    with progress("tokenize", count_lines(train), "recordings of train", settings.runtime.progress) as shown:
        recordings = (pair[RECORDING] for pair in iterate_pairs(train))
        front_end = reader.front_end.fitted(_counted((reader.energies(name) for name in recordings), shown.update))
    encoding = _SpeechEncoding(settings, paths, model, SpeechReader(front_end, paths.prepared_audio), tags)
    with atomic.new_folder(paths.tokenized) as draft:
        model.save(draft / "source.model")
        counts = {split: encoding.encode(split, draft) for split in SPLITS}
        if not counts["train"].pairs:
            raise UserError(
                f"tokenize.max_source_tokens, tokenize.max_target_tokens: all {counts['train'].dropped_too_long} train pairs are "
                f"longer than {section.max_source_tokens} tokens or {section.max_target_tokens} frames, expected one that is not"
            )
        with (draft / "dev.jsonl").open("w", encoding="utf-8", newline="\n") as file:
            for _, pair in number_pairs(paths.prepared_split("dev"), section.group_columns):
                file.write(json.dumps({SOURCE: pair[SOURCE], TARGET: pair[TARGET]}, ensure_ascii=False) + "\n")
        splits = {
            split: SplitInfo(pairs=one.pairs, source_tokens=one.source.tokens, target_tokens=one.target.tokens)
            for split, one in counts.items()
        }
        Manifest(
            source=SourceInfo(vocabulary_size=model.vocabulary_size),
            target=TargetInfo(vocabulary_size=0, speech=front_end),
            joint=False,
            tags=tags,
            normal_form=normal_form,
            groups=counts["train"].groups,
            splits=splits,
            digests=folder_digests(draft),
        ).save(draft)
    report = _report(model, front_end, counts)
    atomic.write_text(paths.tokenize_report, json.dumps(report, indent=1) + "\n")
    atomic.write_text(paths.corpus_profile, _profile(train, model))
    recorder.log_metrics(flatten(report))
    recorder.log_file(paths.tokenize_report, "reports")
    return model.vocabulary_size, 0, {split: one.pairs for split, one in counts.items()}, counts["train"].dropped_too_long


class _SpeechEncoding:
    """The encoding of splits by a subword model and a front end."""

    def __init__(self, settings: Settings, paths: Paths, model: SubwordModel, reader: SpeechReader, tags: TagColumns) -> None:
        self.section, self.mode, self.paths, self.model, self.reader = (
            settings.tokenize,
            settings.runtime.progress,
            paths,
            model,
            reader,
        )
        self.tags = Tags(tags.source, model, tags.separator, tags.unknown, load_normal_form(paths.prepared_normal_form))

    def encode(self, split: str, draft: Path) -> SplitCounts:
        """Encodes a split and writes it; only train drops pairs that are too long."""
        path, counts, groups = self.paths.prepared_split(split), SplitCounts(), list[int]()
        columns = self.section.group_columns if split == "train" else []
        with (
            RaggedWriter(draft, split, "source", dtype=id_dtype(self.model.vocabulary_size)) as sources,
            RaggedWriter(draft, split, "target", self.reader.front_end.num_mels) as targets,
            progress(f"tokenize {split}", count_lines(path), "pairs", self.mode) as shown,
        ):
            for number, (line, pair) in enumerate(
                number_pairs(path, self.section.group_columns if split != "test" else []), start=1
            ):
                ids, frames_TM = (
                    self._source(path, line, pair),
                    self.reader.front_end.normalize(self.reader.energies(pair[RECORDING])),
                )
                shown.update(number)
                if split == "train" and (
                    len(ids) > self.section.max_source_tokens or len(frames_TM) > self.section.max_target_tokens
                ):
                    counts.dropped_too_long += 1
                    continue
                own = FlatRows.of_ids([ids])
                frames = FlatRows.of_arrays([frames_TM])
                sources.append(own)
                targets.append(frames)
                counts.source.add(own)
                counts.target.add(frames)
                if columns:
                    groups.append(counts.number_group(" ".join(pair[column] for column in columns)))
        self.tags.warn_of_ignored(split)
        if columns:
            from seq2seq_core.tokenization.ragged import groups_path

            np.save(groups_path(draft, split), np.array(groups, dtype=np.int32))
        return counts

    def _source(self, path: Path, line: int, pair: dict[str, str]) -> list[int]:
        """The ids of a source, cut where it is too long and the settings say so."""
        try:
            tags = self.tags.ids(pair)
        except TagError as error:
            raise CorpusError(f"{error} (tokenize.source_tags)", path, line) from None
        return [*tags, *self.model.encode([pair[SOURCE]])[0], EOS_ID]


def _open_front_end(settings: SpeechSettings, paths: Paths) -> SpeechFrontEnd:
    """The front end, at the first recording's rate: ``prepare`` has given all the same."""
    front_end = SpeechFrontEnd(sample_rate=rate_of_train(paths, RECORDING), settings=settings)
    try:
        logger.info("a frame of %d bands every %g ms", front_end.num_mels, 1000 * front_end.frame_seconds)
    except ValueError as error:
        raise UserError(f"tokenize.speech.num_mels: {error}; expected fewer bands, or a longer window_ms") from None
    return front_end


def _counted(items: Iterator[Any], report: Any) -> Iterator[Any]:
    for number, item in enumerate(items, start=1):
        yield item
        report(number)


def _report(model: SubwordModel, front_end: SpeechFrontEnd, counts: dict[str, SplitCounts]) -> dict[str, Any]:
    """The metrics of ``reports/tokenize.json``."""
    return {
        "source_vocabulary_size": model.vocabulary_size,
        "target_vocabulary_size": 0,
        **{
            split: {
                "pairs": one.pairs,
                "dropped_too_long": one.dropped_too_long,
                "source": {
                    "mean_tokens": round(one.source.mean_tokens, 4),
                    "max_tokens": one.source.longest,
                    "unknown_fraction": round(one.source.unknown_fraction, 8),
                },
                "target": {
                    "mean_frames": round(one.target.mean_tokens, 4),
                    "max_frames": one.target.longest,
                    "hours": round(one.target.tokens * front_end.frame_seconds / 3600, 4),
                },
            }
            for split, one in counts.items()
        },
    }


def _profile(train: Path, model: SubwordModel) -> str:
    """The profile of train's texts: what is said; the recordings have none."""
    profiler = CorpusProfiler(count_lines(train), has_recordings=True)
    texts = [pair[SOURCE] for pair in iterate_pairs(train)]
    profiler.add(texts, texts)
    return profiler.profile(None, model).to_json()
