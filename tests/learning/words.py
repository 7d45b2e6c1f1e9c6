"""Toy corpora of short words, and a model trained on one: what the learning tests and the full matrix of architectures share."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train

LETTERS, SHORTEST, LONGEST = "abcdefgh", 2, 4
ROWS = {"train": 3000, "dev": 50, "test": 200}


@dataclass(frozen=True)
class Score:
    """Share of the unseen words of test that come out right, by what was to be done with them."""

    copy: float
    reverse: float

    @property
    def worse(self) -> float:
        """That of the harder of the two."""
        return min(self.copy, self.reverse)


def make_corpus(paths: Paths, seed: int) -> None:
    """Writes and tokenises a corpus of different words in each split: ``>abc`` is to be copied, ``<abc`` to be reversed."""
    chance, words = random.Random(seed), set[str]()
    while len(words) < sum(ROWS.values()):
        words.add("".join(chance.choices(LETTERS, k=chance.randint(SHORTEST, LONGEST))))
    shuffled = sorted(words)
    chance.shuffle(shuffled)
    paths.prepared.mkdir(parents=True)
    for split, count in ROWS.items():
        lines = []
        for number in range(count):
            word = shuffled.pop()
            source, target = (f">{word}", word) if number % 2 else (f"<{word}", word[::-1])
            lines.append(json.dumps({"source": source, "target": target}) + "\n")
        paths.prepared_split(split).write_text("".join(lines), encoding="utf-8")
    run_tokenize(make_settings({}, seed), paths, NullRecorder())


def make_settings(model: dict[str, Any], seed: int, max_steps: int = 100) -> Settings:
    """Settings of a small model."""
    return parse_settings(
        {
            "corpus": {"path": "x", "files": {"train": ["train.tsv"]}},
            "register": {"model_name": "m"},
            "tokenize": {"joint": True, "source": {"model": "char"}},
            "model": {"width": 64, "heads": 4, "feedforward_width": 128, "dropout": 0.0} | model,
            "train": {
                "seed": seed, "max_steps": max_steps, "batch_tokens": 1300, "learning_rate": 0.005, "warmup_steps": 50,
                "schedule": "cosine", "label_smoothing": 0.0, "validate_every_steps": max_steps, "patience": 0, "dev_sentences": 0,
            },
            "runtime": {"device": "cpu", "progress": "plain"},
        },
        "test",
    )  # fmt: skip


def learn(paths: Paths, model: dict[str, Any], seed: int, max_steps: int) -> Score:
    """Trains a model on the corpus in a workspace and scores it on test by greedy decoding."""
    run_train(make_settings(model, seed, max_steps), paths, NullRecorder())
    pairs = [json.loads(line) for line in paths.prepared_split("test").read_text(encoding="utf-8").splitlines()]
    predictions = Predictor.from_folder(paths.bundle).predict([pair["source"] for pair in pairs], DecodingOptions(beam_size=1))
    right = [prediction.text == pair["target"] for prediction, pair in zip(predictions, pairs, strict=True)]
    shares = [
        sum(one for one, pair in zip(right, pairs, strict=True) if pair["source"].startswith(mark)) / (len(pairs) / 2)
        for mark in "><"
    ]
    return Score(*shares)


def link_tokenized(corpus: Paths, root: Path) -> Paths:
    """A workspace of its own on a corpus that another one holds."""
    paths = Paths(root)
    (root / "data").mkdir(parents=True)
    for folder in (corpus.prepared, corpus.tokenized):
        (root / "data" / folder.name).symlink_to(folder, target_is_directory=True)
    return paths
