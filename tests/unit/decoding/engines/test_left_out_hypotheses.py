"""A model of which short ends are likelier than the whole word: CTranslate2 returns the ends, and the word wins by its length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from torch.nn import functional

from seq2seq_core.batching.batch import collate_pairs
from seq2seq_core.bundle.bundle import load_bundle, save_bundle
from seq2seq_core.bundle.config_file import BundleConfig
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.decoding.engines import ctranslate2_engine
from seq2seq_core.decoding.engines.ctranslate2_engine import CTranslate2Engine
from seq2seq_core.decoding.engines.found_hypotheses import Winner, choose
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.tokenization.special_tokens import EOS_ID
from seq2seq_core.tokenization.subword import train_subword
from tests.unit.decoding.engines.conftest import LETTERS, convert_to

COPIES = (5, 5, 5, 5, 5, 5, 4, 3)
"""How often the first letter, the first two letters, and so on are the target; the last is the whole word."""


def targets() -> Iterator[tuple[str, str]]:
    """Each letter's alphabet, begun at it, cut."""
    for place, letter in enumerate(LETTERS):
        word = LETTERS[place:] + LETTERS[:place]
        for length, copies in enumerate(COPIES, start=1):
            yield from [(letter, word[:length])] * copies


@pytest.fixture(scope="module")
def predictors(tmp_path_factory: pytest.TempPathFactory) -> tuple[Predictor, Predictor]:
    """By CTranslate2, and by the reference alone."""
    folder = tmp_path_factory.mktemp("cut")
    subword = train_subword([LETTERS], SubwordSettings(model="char"))
    section = ModelSection.model_validate(
        {"architecture": "transformer", "width": 32, "heads": 2, "feedforward_width": 64, "encoder_layers": 1, "decoder_layers": 1}
        | {"dropout": 0.0}
    )
    size = subword.vocabulary_size
    torch.manual_seed(1)
    model = build_model(section, size, size, joint=True)
    pairs = list(targets())
    sources, words = ([[*ids, EOS_ID] for ids in subword.encode([pair[side] for pair in pairs])] for side in (0, 1))
    batch = collate_pairs(sources, words, list(range(len(pairs))))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(80):
        loss = functional.cross_entropy(
            model(batch.source, batch.target_in_BT).flatten(0, 1), batch.target_out_BT.flatten(), ignore_index=0
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    config = BundleConfig(model=section, source_vocabulary_size=size, target_vocabulary_size=size, joint=True)
    save_bundle(folder / "bundle", model, config, subword, subword, {"manifest.json": "0" * 64})
    convert_to(folder / "bundle", folder / "served", "float32")
    bundle = load_bundle(folder / "served")
    return Predictor(bundle), Predictor(bundle, uses_engine=False)


@pytest.mark.parametrize("beam_size", [2, 3, 5])
def test_a_longer_one_that_wins_is_found_although_ctranslate2_leaves_it_out(
    predictors: tuple[Predictor, Predictor], beam_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, options = predictors[0].engine, DecodingOptions(beam_size=beam_size, max_length=20)
    assert isinstance(engine, CTranslate2Engine)
    sources, by_reference = list(LETTERS), list[Any]()
    decode = engine.reference.decode

    def note(rows: Sequence[Any], *arguments: Any, **named: Any) -> Any:
        by_reference.extend(rows)
        return decode(rows, *arguments, **named)

    monkeypatch.setattr(engine.reference, "decode", note)
    found, expected = predictors[0].predict(sources, options), predictors[1].predict(sources, options)
    assert [one.text for one in found] == [one.text for one in expected]
    assert [one.score for one in found] == pytest.approx([one.score for one in expected], abs=1e-4)
    assert len(by_reference) < len(sources) // 2  # CTranslate2 found them

    def choose_of_those(*arguments: Any) -> Winner | None:
        winner = choose(*arguments)
        return None if winner is None else winner._replace(is_open=False)

    monkeypatch.setattr(ctranslate2_engine, "choose", choose_of_those)
    alone = predictors[0].predict(sources, options)
    assert [one.text for one in alone] != [one.text for one in expected]  # of what it returns at first, another one is the best
