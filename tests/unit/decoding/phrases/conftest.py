"""Subword models of each kind, and predictors of trained and of random weights."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch

from seq2seq_core.bundle.bundle import load_bundle, save_bundle
from seq2seq_core.bundle.config_file import BundleConfig
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.tokenization.subword import SubwordModel, train_subword

KINDS: dict[str, dict[str, object]] = {
    "unigram": {"model": "unigram", "vocabulary_size": 90},
    "bytes": {"model": "unigram", "vocabulary_size": 340, "byte_fallback": True, "character_coverage": 0.98},
    "bpe": {"model": "bpe", "vocabulary_size": 90},
    "char": {"model": "char"},
    "decomposed": {"model": "char", "decompose": True},
    "symbols": {"model": "symbols"},
}
TEXTS = [
    "the cat sat on the mat, and the cats concatenate", "a hot dog; hot-dog, hot  dogs", "café cafe caf\u00e9s naïve",
    "in New York", "東京は東京に 京都", "a \u2581 b", "the new hat of the dog", "cat cat dog. dog! 42 4 2", "sat mat hat",
]  # fmt: skip
GOLDEN = Path(__file__).parents[3] / "golden"


@cache
def make_tokenizer(kind: str) -> SubwordModel:
    if kind == "accents":  # few symbols, so that random weights spell every order of the marks
        return train_subword([chr(0x1EC7)] * 40, SubwordSettings.model_validate(KINDS["decomposed"]))
    chance = random.Random(5)
    words = " ".join(TEXTS).split(" ")
    texts = TEXTS + [" ".join(chance.choices(words, k=5)) for _ in range(60)]
    return train_subword(texts, SubwordSettings.model_validate(KINDS[kind]))


@pytest.fixture(scope="session", params=list(KINDS))
def tokenizer(request: pytest.FixtureRequest) -> SubwordModel:
    return make_tokenizer(request.param)


@pytest.fixture(scope="session")
def make_predictor(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Predictor]:
    """A predictor of random weights, in double precision, so that near ties never fall differently in batches of other sizes."""

    @cache
    def make(architecture: str, kind: str) -> Predictor:
        folder, tokenizer = tmp_path_factory.mktemp("random") / "bundle", make_tokenizer(kind)
        settings = ModelSection.model_validate({"architecture": architecture, "width": 16, "feedforward_width": 32, "heads": 2})
        sizes = (tokenizer.vocabulary_size, tokenizer.vocabulary_size)
        config = BundleConfig(model=settings, source_vocabulary_size=sizes[0], target_vocabulary_size=sizes[1], joint=False)
        torch.manual_seed(5)
        save_bundle(folder, build_model(settings, *sizes, joint=False), config, tokenizer, tokenizer, {"x.npy": "00" * 32})
        return read_predictor(folder)

    return make


def read_predictor(folder: Path) -> Predictor:
    bundle = load_bundle(folder)
    bundle.model.double()
    return Predictor(bundle)


@pytest.fixture(scope="session", params=["gru", "transformer"])
def trained(request: pytest.FixtureRequest) -> Predictor:
    """A model that reverses words: ``abc`` becomes ``C B A``."""
    return read_predictor(GOLDEN / f"{request.param}_v1" / "bundle")
