"""Symbols heard in noise: each is a fixed pattern over a few frames, and a model of frames learns to write them down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.train import run_train
from seq2seq_core.tokenization.manifest import Manifest, SourceInfo, SplitInfo, TargetInfo, folder_digests
from seq2seq_core.tokenization.ragged import write_ragged
from seq2seq_core.tokenization.special_tokens import EOS_ID
from seq2seq_core.tokenization.subword import train_subword

SYMBOLS, FEATURES, NOISE = "abcde", 8, 0.3
ROWS = {"train": 3000, "dev": 20, "test": 100}

Utterance = tuple[NDArray[np.float32], str]
"""Frames_SF, and the symbols in them with spaces between."""


def draw_utterances(chance: np.random.Generator, patterns: list[NDArray[np.float32]], count: int) -> list[Utterance]:
    """Strings of 1 to 3 symbols: their patterns one after another, with up to two empty frames behind each, in noise."""
    utterances = []
    for _ in range(count):
        symbols = chance.integers(0, len(SYMBOLS), size=chance.integers(1, 4))
        clean = np.concatenate([np.pad(patterns[symbol], ((0, int(chance.integers(0, 3))), (0, 0))) for symbol in symbols])
        noisy = (clean + chance.normal(scale=NOISE, size=clean.shape)).astype(np.float32)
        utterances.append((noisy, " ".join(SYMBOLS[symbol] for symbol in symbols)))
    return utterances


def write_tokenized(folder: Path, splits: dict[str, list[Utterance]]) -> None:
    """Writes the tokenised corpus that a reader of frames would."""
    folder.mkdir(parents=True)
    target = train_subword([text for _, text in splits["train"]], SubwordSettings(model="symbols"))
    target.save(folder / "target.model")
    infos = {}
    for split, utterances in splits.items():
        ids = [[*row, EOS_ID] for row in target.encode([text for _, text in utterances])]
        write_ragged(folder, split, "source", [frames for frames, _ in utterances], FEATURES)
        write_ragged(folder, split, "target", ids)
        counts = (sum(len(frames) for frames, _ in utterances), sum(map(len, ids)))
        infos[split] = SplitInfo(pairs=len(utterances), source_tokens=counts[0], target_tokens=counts[1])
    lines = [json.dumps({"source": "", "target": text}) + "\n" for _, text in splits["dev"]]
    (folder / "dev.jsonl").write_text("".join(lines), encoding="utf-8")
    Manifest(
        source=SourceInfo(kind="frames", vocabulary_size=0),
        target=TargetInfo(vocabulary_size=target.vocabulary_size),
        joint=False,
        splits=infos,
        digests=folder_digests(folder),
    ).save(folder)


def make_settings(model: dict[str, Any], seed: int, max_steps: int) -> Settings:
    return parse_settings(
        {
            "corpus": {"path": "x", "files": {"train": ["x.tsv"]}},
            "register": {"model_name": "m"},
            "model": {"width": 48, "heads": 4, "feedforward_width": 96, "dropout": 0.0} | model,
            "train": {
                "seed": seed, "max_steps": max_steps, "batch_tokens": 1000, "learning_rate": 0.005, "warmup_steps": 30,
                "schedule": "cosine", "label_smoothing": 0.0, "validate_every_steps": max_steps, "patience": 0,
                "dev_metric": "wer", "dev_sentences": 20,
            },
            "runtime": {"device": "cpu", "progress": "plain"},
        },
        "test",
    )  # fmt: skip


@pytest.mark.proof
@pytest.mark.parametrize(
    ("model", "max_steps"),
    [
        ({"architecture": "gru", "attention": "additive", "encoder_layers": 2, "time_reduction": 1}, 200),
        ({"architecture": "transformer", "encoder_layers": 2, "decoder_layers": 1, "time_reduction": 1}, 160),
    ],
    ids=["gru", "transformer"],
)
def test_unheard_strings_are_written_down(model: dict[str, Any], max_steps: int, fresh_seed: int, tmp_path: Path) -> None:
    paths, chance = Paths(tmp_path), np.random.default_rng(fresh_seed)
    patterns = [chance.normal(size=(chance.integers(3, 5), FEATURES)).astype(np.float32) for _ in SYMBOLS]
    splits = {split: draw_utterances(chance, patterns, count) for split, count in ROWS.items()}
    write_tokenized(paths.tokenized, splits)
    run_train(make_settings(model, fresh_seed, max_steps), paths, NullRecorder())
    predictor = Predictor.from_folder(paths.bundle)
    predictions = predictor.predict([frames for frames, _ in splits["test"]], DecodingOptions(beam_size=2))
    right = np.mean([prediction.text == text for prediction, (_, text) in zip(predictions, splits["test"], strict=True)])
    assert right >= 0.8, right
