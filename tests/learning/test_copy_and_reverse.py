"""Every architecture learns to copy and to reverse, through all of tokenise, train and predict, from a fresh seed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.decoding.options import DecodingOptions
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train

LETTERS = "abcdefgh"
LONGEST = 6
ROWS = {"train": 2000, "dev": 50, "test": 200}
REQUIRED_ACCURACY = 0.9


@pytest.fixture
def fresh_seed() -> Iterator[int]:
    seed = random.SystemRandom().randrange(2**31)
    print(f"seed {seed}")  # noqa: T201
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield seed
    torch.set_num_threads(before)


def make_settings(architecture: str, seed: int) -> Settings:
    is_transformer = architecture == "transformer"
    return parse_settings(
        {
            "corpus": {"path": "x", "files": {"train": ["train.tsv"]}},
            "register": {"model_name": "m"},
            "tokenize": {"source": {"model": "char"}, "target": {"model": "char"}},
            "model": {
                "architecture": architecture, "width": 64, "heads": 4, "feedforward_width": 128, "dropout": 0.0,
                "encoder_layers": 2 if is_transformer else 1, "decoder_layers": 2 if is_transformer else 1,
            },
            "train": {
                "seed": seed, "max_steps": 400, "batch_tokens": 640, "learning_rate": 0.003 if is_transformer else 0.006,
                "warmup_steps": 50, "schedule": "cosine", "label_smoothing": 0.0, "validate_every_steps": 200, "patience": 0,
                "dev_metric": "exact_match", "dev_sentences": 50,
            },
            "runtime": {"device": "cpu", "progress": "plain"},
        },
        "test",
    )  # fmt: skip


def draw_words(chance: random.Random) -> dict[str, list[str]]:
    """Different words for each split."""
    words: set[str] = set()
    while len(words) < sum(ROWS.values()):
        words.add("".join(chance.choices(LETTERS, k=chance.randint(2, LONGEST))))
    shuffled = sorted(words)
    chance.shuffle(shuffled)
    return {split: [shuffled.pop() for _ in range(count)] for split, count in ROWS.items()}


@pytest.mark.slow
@pytest.mark.parametrize("task", ["copy", "reverse"])
@pytest.mark.parametrize("architecture", ["gru", "lstm", "transformer"])
def test_unseen_words_come_out_right(architecture: str, task: str, fresh_seed: int, tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.prepared.mkdir(parents=True)
    words = draw_words(random.Random(fresh_seed))
    targets = {split: [word if task == "copy" else word[::-1] for word in words[split]] for split in ROWS}
    for split in ROWS:
        lines = [json.dumps({"source": word, "target": target}) for word, target in zip(words[split], targets[split], strict=True)]
        paths.prepared_split(split).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    settings = make_settings(architecture, fresh_seed)
    run_tokenize(settings, paths, NullRecorder())
    run_train(settings, paths, NullRecorder())
    predictions = Predictor.from_folder(paths.bundle).predict(words["test"], DecodingOptions(beam_size=1))
    num_right = sum(prediction.text == target for prediction, target in zip(predictions, targets["test"], strict=True))
    assert num_right / ROWS["test"] >= REQUIRED_ACCURACY
