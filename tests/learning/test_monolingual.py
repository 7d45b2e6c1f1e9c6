"""Sentences without translations add to a few pairs what these alone cannot teach: a cipher of one language by another."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.evaluation.scores import score
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train

WORDS, FEWEST, MOST = 20, 3, 6
PAIRS, SENTENCES, TEST = 24, 500, 100
REQUIRED_GAIN = 0.25


def make_corpus(paths: Paths, seed: int) -> list[dict[str, str]]:
    """Writes sentences of two languages whose words correspond one to one; returns the test set."""
    chance = random.Random(seed)
    cipher = [f"b{number}" for number in range(WORDS)]
    chance.shuffle(cipher)

    def say() -> list[int]:
        return [chance.randrange(WORDS) for _ in range(chance.randint(FEWEST, MOST))]

    def pair(words: list[int]) -> dict[str, str]:
        first, second = " ".join(f"a{word}" for word in words), " ".join(cipher[word] for word in words)
        return {"source": first, "target": second, "source_language": "a", "target_language": "b"}

    def exchanged(row: dict[str, str]) -> dict[str, str]:
        return {"source": row["target"], "target": row["source"], "source_language": "b", "target_language": "a"}

    paths.prepared.mkdir(parents=True)
    rows = {split: [pair(say()) for _ in range(count)] for split, count in (("train", PAIRS), ("dev", 20), ("test", TEST))}
    rows["train"] += [exchanged(row) for row in rows["train"]]
    for split, own in rows.items():
        paths.prepared_split(split).write_text("".join(json.dumps(row) + "\n" for row in own), encoding="utf-8")
    for language, side in (("a", "source"), ("b", "target")):
        texts = [json.dumps({"text": pair(say())[side]}) + "\n" for _ in range(SENTENCES)]
        paths.prepared_sentences(language).write_text("".join(texts), encoding="utf-8")
    return rows["test"]


def make_settings(seed: int, phases: list[dict[str, Any]]) -> Settings:
    return parse_settings(
        {
            "corpus": {
                "path": "x",
                "files": {"train": ["train.tsv"]},
                "monolingual": [{"file": "a.txt", "language": "a"}, {"file": "b.txt", "language": "b"}],
            },
            "register": {"model_name": "m"},
            "tokenize": {"joint": True, "source": {"model": "symbols"}, "source_tags": ["target_language"]},
            "model": {"width": 64, "dropout": 0.1, "tie_embeddings": "all"},
            "train": {
                "seed": seed, "batch_tokens": 500, "learning_rate": 0.005, "warmup_steps": 10, "schedule": "constant",
                "label_smoothing": 0.0, "validate_every_steps": 50, "patience": 0, "dev_sentences": 0, "phases": phases,
            },
            "runtime": {"device": "cpu", "progress": "plain"},
        },
        "test",
    )  # fmt: skip


def error_rate(paths: Paths, test: list[dict[str, str]]) -> float:
    predictor = Predictor.from_folder(paths.bundle)
    texts = predictor.predict([row["source"] for row in test], DecodingOptions(beam_size=1), tags=test)
    return score([prediction.text for prediction in texts], [row["target"] for row in test], ["wer"])["wer"]


@pytest.mark.proof
def test_denoising_and_back_translation_make_fewer_errors_than_the_pairs_alone(fresh_seed: int, tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    test = make_corpus(paths, fresh_seed)
    mixture = {"likelihood_weight": 1.0}
    systems: dict[str, list[dict[str, Any]]] = {
        "pairs": [{"objective": "likelihood", "max_steps": 200}],
        "pairs and sentences": [
            {"objective": "denoising", "max_steps": 100, "mixture": mixture},
            {"objective": "back_translation", "max_steps": 100, "mixture": mixture | {"denoising_weight": 0.0},
             "back_translation": {"round_trip_sentences": 0}},
        ],
    }  # fmt: skip
    run_tokenize(make_settings(fresh_seed, systems["pairs"]), paths, NullRecorder())
    errors = {}
    for name, phases in systems.items():
        started = time.process_time()
        run_train(make_settings(fresh_seed, phases), paths, NullRecorder())
        errors[name] = error_rate(paths, test)
        print(f"{name}: word error rate {errors[name]:.3f} after {time.process_time() - started:.1f} s")  # noqa: T201
    assert errors["pairs and sentences"] <= errors["pairs"] - REQUIRED_GAIN
