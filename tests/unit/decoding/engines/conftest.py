"""Small trained Transformers with an ambiguous target, so that beams differ from greedy decoding and no model is certain."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from seq2seq_core.batching.batch import collate_pairs
from seq2seq_core.bundle.bundle import load_bundle, save_bundle
from seq2seq_core.bundle.config_file import BundleConfig, StoredEngine
from seq2seq_core.bundle.served_bundle import export_bundle
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.decoding.engines.engine_choice import convert_bundle
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.tokenization.special_tokens import EOS_ID, PAD_ID
from seq2seq_core.tokenization.subword import SubwordModel, train_subword
from seq2seq_core.tokenization.tags import TagColumns
from tests.made_once import made_once

LETTERS = "abcdefgh"
TAG = "style"
SHAPES: dict[str, dict[str, Any]] = {
    "pre-norm, tied to all": {"tie_embeddings": "all"},
    "post-norm, learned, untied": {"norm": "post", "positions": "learned", "max_positions": 64, "tie_embeddings": "none"},
    "rotary, tied target": {"positions": "rotary", "tie_embeddings": "target"},
}


def random_words(number: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices(LETTERS, k=chance.randint(2, 9))) for _ in range(number)]


def ambiguous_target(word: str, chance: random.Random) -> str:
    """The word backwards; some letters are at times written twice or left out."""
    return "".join(letter * chance.choice((1, 1, 1, 2)) if letter in "abc" else letter for letter in reversed(word))


@pytest.fixture(scope="session", params=SHAPES)
def served_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A served bundle of a trained Transformer with a target tag, whose engine is CTranslate2 at float32."""
    name = f"served_{list(SHAPES).index(request.param)}"
    return made_once(tmp_path_factory, name, lambda folder: _make_served(folder, SHAPES[request.param])) / "served"


def _make_served(folder: Path, shape: dict[str, Any]) -> None:
    subword = train_subword([LETTERS], SubwordSettings(model="char"), tags=[(TAG, "plain"), (TAG, "other")])
    settings = ModelSection.model_validate(
        {"architecture": "transformer", "width": 32, "heads": 2, "feedforward_width": 64, "encoder_layers": 2, "dropout": 0.0}
        | shape
    )
    size = subword.vocabulary_size
    torch.manual_seed(3)
    model = build_model(settings, size, size, joint=True)
    train_briefly(model, subword)
    config = BundleConfig(
        model=settings, source_vocabulary_size=size, target_vocabulary_size=size, joint=True, tags=TagColumns(target=[TAG])
    )  # fmt: skip
    save_bundle(folder / "bundle", model, config, subword, subword, {"manifest.json": "0" * 64})
    convert_to(folder / "bundle", folder / "served", "float32")


def convert_to(trained: Path, served: Path, compute_type: str) -> None:
    engine = StoredEngine.model_validate({"name": "ctranslate2", "compute_type": compute_type})
    export_bundle(trained, served, DecodingOptions(), convert_bundle(load_bundle(trained), engine))


def train_briefly(model: Seq2Seq, subword: SubwordModel, steps: int = 250) -> None:
    words, chance = random_words(1500, 1), random.Random(2)
    tags = [subword.tags[TAG, chance.choice(("plain", "other"))] for _ in words]
    sources = [[*ids, EOS_ID] for ids in subword.encode(words)]
    targets = [
        [tag, *ids, EOS_ID] for tag, ids in zip(tags, subword.encode([ambiguous_target(one, chance) for one in words]), strict=True)
    ]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.004)
    for step in range(steps):
        places = [(step * 64 + one) % len(words) for one in range(64)]
        batch = collate_pairs([sources[one] for one in places], [targets[one] for one in places], places)
        logits_BTV = model(batch.source, batch.target_in_BT)
        loss = functional.cross_entropy(
            logits_BTV.flatten(0, 1), batch.target_out_BT.flatten(), ignore_index=PAD_ID, label_smoothing=0.05
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
