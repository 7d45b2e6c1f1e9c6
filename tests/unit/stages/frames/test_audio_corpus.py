"""An audio corpus through validate, prepare and tokenize: faults by row, a recording under two names, frames on disk."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from seq2seq_core.artifacts import Paths
from seq2seq_core.audio.sound_file import write_wav
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.corpus.pairs import iterate_pairs
from seq2seq_core.drift.corpus_profile import parse_profile
from seq2seq_core.errors import ContractViolation, CorpusError, UserError
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.evaluate import run_evaluate
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.validate import run_validate
from seq2seq_core.tokenization.manifest import Manifest

Rows = dict[str, list[tuple[str, str]]]
ROWS: Rows = {
    "train": [("low.wav", "one"), ("sub folder/high.wav", "two"), ("copy.wav", "one"), ("noise.wav", "three")],
    "dev": [("middle.wav", "two")],
    "test": [("leak.wav", "three")],
}


def make_settings(**sections: dict[str, object]) -> Settings:
    values: dict[str, dict[str, object]] = {
        "corpus": {
            "path": "corpus", "source_kind": "audio", "sample_rate": 8000, "files": {split: [f"{split}.tsv"] for split in ROWS},
        },
        "register": {"model_name": "m"},
        "tokenize": {"audio": {"num_mels": 8}, "target": {"model": "char"}},
        "runtime": {"progress": "plain"},
    }  # fmt: skip
    return parse_settings({name: own | sections.get(name, {}) for name, own in values.items()} | sections, "test")


def sine(hertz: float) -> NDArray[np.float32]:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(800) / 8000)).astype(np.float32)


@pytest.fixture
def make_corpus(tmp_path: Path) -> Callable[..., Paths]:
    """Writes a corpus: three sines, one of them twice in train, and noise that stands in train and in test."""

    def make(rows: Rows = ROWS) -> Paths:
        folder = tmp_path / "corpus"
        (folder / "sub folder").mkdir(parents=True)
        noise = np.random.default_rng(1).normal(scale=0.1, size=1200).astype(np.float32)
        for name, samples in {
            "low": sine(300), "sub folder/high": sine(2000), "copy": sine(300), "middle": sine(900), "noise": noise, "leak": noise,
        }.items():  # fmt: skip
            write_wav(folder / f"{name}.wav", samples, 8000)
        for split, own in rows.items():
            lines = ["source\ttarget", *(f"{source}\t{target}" for source, target in own)]
            (folder / f"{split}.tsv").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return Paths(tmp_path)

    return make


def test_the_same_samples_under_two_names_are_a_repetition_and_a_leak(make_corpus: Callable[..., Paths]) -> None:
    result = run_validate(make_settings(), make_corpus(), NullRecorder())
    checks = {f"{check.contract.split}.{check.contract.name}": check for check in result.checks}
    assert checks["train.duplicate_pairs"].examples == ('train.tsv:4: repeats train.tsv:2: "copy.wav" → "one"',)
    assert checks["test.test_leakage"].examples == ('test.tsv:2: also train.tsv:5: "leak.wav"',)
    assert checks["train.recordings"].success
    assert "train.length_ratio" not in checks


def test_every_recording_that_cannot_be_used_is_named_with_its_row(make_corpus: Callable[..., Paths]) -> None:
    bad = ["gone.wav", "../low.wav", "/etc/hosts", "train.tsv", "rate.wav", ""]
    paths = make_corpus(ROWS | {"train": [*ROWS["train"], *((name, "one") for name in bad)]})
    write_wav(paths.root / "corpus" / "rate.wav", sine(300), 16000)
    with pytest.raises(ContractViolation) as caught:
        run_validate(make_settings(validate={"examples": 9}), paths, NullRecorder())
    message = str(caught.value)
    assert "train, recordings: rows whose recording cannot be used: none; got 6 of 10 rows" in message
    inside = "expected the name of a file inside the corpus folder (corpus.path)"
    form = "expected a WAV or FLAC file of one channel, 16-bit PCM, 8000 samples a second"
    for line, what in {
        6: '"gone.wav": no such file; expected a WAV or FLAC file',
        7: f'"../low.wav": {inside}',
        8: f'"/etc/hosts": {inside}',
        9: f'"train.tsv": not a WAV file of PCM samples or a FLAC file (file does not start with RIFF id); {form}',
        10: f'"rate.wav": has 16000 samples a second; {form}',
        11: f'"": {inside}',
    }.items():
        assert f"train.tsv:{line}: {what}" in message
    with pytest.raises(CorpusError, match=re.escape('train.tsv:6: "gone.wav": no such file; expected a WAV or FLAC file')):
        run_prepare(make_settings(), paths, NullRecorder())
    assert not paths.prepared.exists()


def test_prepare_drops_repetitions_and_leaks_and_keeps_each_recording_at_its_name(make_corpus: Callable[..., Paths]) -> None:
    paths = make_corpus()
    run_prepare(make_settings(), paths, NullRecorder())
    report = json.loads(paths.prepare_report.read_text(encoding="utf-8"))
    assert {rule: count for rule, count in report["train"]["dropped"].items() if count} == {"deduplicate": 1, "leakage": 1}
    assert report["train"]["recorded_seconds"] == 0.2
    assert "source_characters" not in report["train"]
    pairs = list(iterate_pairs(paths.prepared_split("train")))
    assert [pair["source"] for pair in pairs] == ["low.wav", "sub folder/high.wav"]
    assert [len(pair["recording_sha256"]) for pair in pairs] == [64, 64]
    kept = sorted(path.relative_to(paths.prepared_audio).as_posix() for path in paths.prepared_audio.rglob("*.wav"))
    assert kept == ["leak.wav", "low.wav", "middle.wav", "sub folder/high.wav"]


def test_a_recording_that_is_asked_for_in_two_ways_is_no_repetition(make_corpus: Callable[..., Paths]) -> None:
    paths = make_corpus()
    lines = ["source\ttarget\tto", "low.wav\tone\ten", "copy.wav\tone\tfr", "copy.wav\tone\ten", "noise.wav\tthree\tfr"]
    (paths.root / "corpus" / "train.tsv").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    corpus = make_settings().corpus.model_dump() | {"input_columns": ["to"]}
    settings = make_settings(corpus=corpus)
    result = run_validate(settings, paths, NullRecorder())
    checks = {f"{check.contract.split}.{check.contract.name}": check for check in result.checks}
    assert checks["train.duplicate_pairs"].examples == ('train.tsv:4: repeats train.tsv:2: "copy.wav" → "one"',)
    run_prepare(settings, paths, NullRecorder())
    pairs = [(pair["source"], pair["to"]) for pair in iterate_pairs(paths.prepared_split("train"))]
    assert pairs == [("low.wav", "en"), ("copy.wav", "fr"), ("noise.wav", "fr")]  # that of test has no column "to"


def test_the_split_of_a_pair_follows_from_its_recording_whatever_its_name(make_corpus: Callable[..., Paths]) -> None:
    rows = [
        ("low.wav", "a"),
        ("middle.wav", "b"),
        ("sub folder/high.wav", "c"),
        ("noise.wav", "d"),
        ("copy.wav", "e"),
        ("leak.wav", "f"),
    ]
    paths = make_corpus({"train": rows})
    corpus = {"path": "corpus", "source_kind": "audio", "sample_rate": 8000, "files": {"train": ["train.tsv"]}}
    run_prepare(
        make_settings(corpus=corpus, prepare={"dev_fraction": 0.3, "test_fraction": 0.3, "split_salt": "2"}), paths, NullRecorder()
    )
    split_of = {pair["source"]: split for split in ROWS for pair in iterate_pairs(paths.prepared_split(split))}
    assert set(split_of.values()) == set(ROWS)
    assert split_of["low.wav"] == split_of["copy.wav"]
    assert split_of["noise.wav"] == split_of["leak.wav"]


def test_tokenize_writes_frames_and_says_how_they_were_made(make_corpus: Callable[..., Paths]) -> None:
    paths = make_corpus()
    for run in (run_prepare, run_tokenize):
        audio = {"num_mels": 8, "stack_frames": 2, "frame_stride": 2}
        run(make_settings(tokenize={"audio": audio, "max_unknown_target_fraction": 1.0}), paths, NullRecorder())
    manifest, train = Manifest.load(paths.tokenized), TokenizedDataset.open(paths.tokenized, "train")
    front_end = manifest.source.audio
    assert front_end is not None
    assert (manifest.source.kind, manifest.source.vocabulary_size, front_end.sample_rate) == ("frames", 0, 8000)
    assert (train.num_features, train.source_lengths.tolist()) == (16, [4, 4])
    assert not (paths.tokenized / "source.model").exists()
    profile = parse_profile(paths.corpus_profile.read_bytes(), "it")
    assert (profile.source, profile.rows, profile.target is None) == (None, 2, False), "names of recordings are no texts"
    report = json.loads(paths.tokenize_report.read_text(encoding="utf-8"))
    assert report["train"]["source"] == {"mean_frames": 4.0, "max_frames": 4, "hours": 0.0}
    assert report["test"]["source"]["max_frames"] == 7


def test_tokenize_drops_long_recordings_of_train_alone(make_corpus: Callable[..., Paths]) -> None:
    paths = make_corpus(ROWS | {"test": [("middle.wav", "three")]})
    run_prepare(make_settings(), paths, NullRecorder())
    run_tokenize(make_settings(tokenize={"audio": {"num_mels": 8}, "max_source_tokens": 10}), paths, NullRecorder())
    assert json.loads(paths.tokenize_report.read_text(encoding="utf-8"))["train"]["dropped_too_long"] == 1


def test_bands_that_hold_nothing_and_recordings_that_are_gone_are_faults_of_the_user(make_corpus: Callable[..., Paths]) -> None:
    paths = make_corpus()
    run_prepare(make_settings(), paths, NullRecorder())
    with pytest.raises(UserError, match=r"^tokenize\.audio\.num_mels: band 2 of 200 holds no bin of a spectrum of 256 points"):
        run_tokenize(make_settings(tokenize={"audio": {"num_mels": 200}}), paths, NullRecorder())
    (paths.prepared_audio / "low.wav").unlink()
    with pytest.raises(UserError, match=r"low\.wav: no such file; expected a WAV or FLAC file; `s2s prepare`"):
        run_tokenize(make_settings(), paths, NullRecorder())


def test_a_corpus_column_may_not_have_the_name_of_the_digest(make_corpus: Callable[..., Paths]) -> None:
    paths = make_corpus()
    (paths.root / "corpus" / "dev.tsv").write_text("source\ttarget\trecording_sha256\nlow.wav\ta\tb\n", encoding="utf-8")
    with pytest.raises(CorpusError, match="the column 'recording_sha256' is one that `s2s prepare` adds"):
        run_prepare(make_settings(), paths, NullRecorder())


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (
            {"corpus": {"source_kind": "text"}},
            "tokenize.audio: must be left out unless corpus.source_kind is 'audio', got settings",
        ),
        (
            {"corpus": {"conversations": {}}},
            "corpus: source_kind must be 'text' with conversations, whose sources are made of turns; got 'audio'",
        ),
        (
            {"tokenize": {"audio": None}},
            "tokenize.audio: must be given where corpus.source_kind is 'audio' ({} takes every default), got nothing",
        ),
        (
            {"tokenize": {"audio": {"high_hz": 5000}}},
            "tokenize.audio.high_hz: must be at most half of corpus.sample_rate 8000, got 5000",
        ),
        (
            {"tokenize": {"audio": {"low_hz": 4000}}},
            "tokenize.audio.low_hz: must be below half of corpus.sample_rate 8000, got 4000",
        ),
        ({"tokenize": {"audio": {"low_hz": 300, "high_hz": 200}}}, "tokenize.audio: low_hz must be below high_hz, got 300 and 200"),
        (
            {"tokenize": {"audio": {}, "joint": True, "target": {}}},
            "joint must be false with audio: recordings share no vocabulary; got true",
        ),
        (
            {"tokenize": {"audio": {}, "source_tags": ["kind"]}},
            "source_tags must be empty with audio (target_tags need not be), got ['kind']",
        ),
        (
            {"tokenize": {"audio": {}, "source": {"model": "char"}}},
            "source must be left out with audio: recordings have no subword model",
        ),
        ({"prepare": {"drop_copies": True}}, "prepare.drop_copies: must be false where corpus.source_kind is 'audio', got true"),
        ({"prepare": {"max_length_ratio": 3}}, "prepare.max_length_ratio: must be 0 where corpus.source_kind is 'audio', got 3.0"),
        (
            {"corpus": {"source_kind": "text"}, "tokenize": {"audio": None}, "train": {"spec_augment": {"time_masks": 1}}},
            "train.spec_augment: must have no masks unless corpus.source_kind is 'audio' or 'image', got some",
        ),
    ],
)
def test_settings_that_do_not_go_with_the_kind_of_source_are_refused(sections: dict[str, dict[str, object]], message: str) -> None:
    base = make_settings().model_dump(mode="json")
    corpus = {name: base["corpus"][name] for name in ("path", "files", "source_kind", "sample_rate")}
    merged = sections | {"corpus": corpus | sections.get("corpus", {})}
    with pytest.raises(UserError, match=re.escape(message)):
        make_settings(**merged)


class TextRecorder(NullRecorder):
    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def log_text(self, text: str, name: str) -> None:
        self.texts[name] = text


def test_evaluation_names_recordings_and_compares_with_nothing_that_reads_their_names(
    audio_template: tuple[Paths, Settings], tmp_path: Path
) -> None:
    template, settings = audio_template
    paths = Paths(tmp_path / "workspace")
    shutil.copytree(template.root, paths.root)
    recorder = TextRecorder()
    result = run_evaluate(settings, paths, recorder)
    assert list(result.baselines) == ["commonest_target"]
    assert result.baselines["commonest_target"]["wer"] == 0.6
    rows = [json.loads(line) for line in (paths.evaluation / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["source"] for row in rows] == [f"test {number}.wav" for number in range(5)]
    scores = json.loads((paths.evaluation / "scores.json").read_text(encoding="utf-8"))
    assert set(scores["slices"]) == {"target_characters", "kind"}
    assert "| test 0.wav | noise 0 |" in recorder.texts["evaluation/worst.md"]
