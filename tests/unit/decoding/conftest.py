"""A stand-in model whose next symbol depends on the whole prefix and on the source, at random but always the same way.

Shapes: B batch, N rows, S source length, T prefix length, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from seq2seq_core.batching.batch import Source
from seq2seq_core.bundle.bundle import load_bundle, save_bundle
from seq2seq_core.bundle.config_file import BundleConfig
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.tokenization.subword import train_subword


@dataclass(frozen=True)
class TableState:
    ids_BS: Tensor
    lengths_B: Tensor
    prefixes_NT: Tensor

    def select(self, rows_N: Tensor, sentences_B: Tensor | None = None) -> TableState:
        ids_BS, lengths_B = self.ids_BS, self.lengths_B
        if sentences_B is not None:
            ids_BS, lengths_B = ids_BS[sentences_B], lengths_B[sentences_B]
        assert len(rows_N) % len(ids_BS) == 0
        return TableState(ids_BS, lengths_B, self.prefixes_NT[rows_N])


@dataclass(frozen=True)
class TableStep:
    logits_NV: Tensor
    state: TableState
    attention_NS: Tensor | None


class TableModel:
    """Counts the rows that it was asked for, so that tests can see sentences leave the batch.

    Attributes:
        has_attention: whether its steps carry weights over the source.
    """

    has_attention = True

    def __init__(self, seed: int, vocabulary_size: int, scale: float = 1.0) -> None:
        self.seed, self.vocabulary_size, self.scale = seed, vocabulary_size, scale
        self.rows_asked: list[int] = []
        self._drawn: dict[tuple[int, ...], np.ndarray[tuple[int], np.dtype[np.float64]]] = {}

    def encode(self, source: Source) -> Source:
        return source

    def initial_state(self, memory: Source, keep_attention: bool = True) -> TableState:
        return TableState(memory.values, memory.lengths_B, memory.values[:, :0])

    def step(self, previous_ids_N: Tensor, state: TableState) -> TableStep:
        self.rows_asked.append(len(previous_ids_N))
        prefixes_NT = torch.cat([state.prefixes_NT, previous_ids_N.unsqueeze(1)], dim=1)
        num_hypotheses = len(prefixes_NT) // len(state.ids_BS)
        ids_NS, lengths_N = (each.repeat_interleave(num_hypotheses, 0) for each in (state.ids_BS, state.lengths_B))
        rows = zip(ids_NS.tolist(), lengths_N.tolist(), prefixes_NT.tolist(), strict=True)
        logits_NV = torch.tensor(np.array([self.logits(ids[:length], prefix) for ids, length, prefix in rows], dtype=np.float32))
        attention_NS = torch.nn.functional.one_hot((prefixes_NT.shape[1] - 1) % lengths_N, ids_NS.shape[1]).float()
        state = TableState(state.ids_BS, state.lengths_B, prefixes_NT)
        return TableStep(logits_NV, state, attention_NS if self.has_attention else None)

    def log_probability(self, source: list[int], ids: Sequence[int]) -> float:
        """Of a whole sequence and its eos, worked out one symbol at a time in float64."""
        total, prefix = 0.0, [2]
        for symbol in (*ids, 3):
            logits = self.logits(source, prefix)
            total += float(logits[symbol] - np.log(np.exp(logits).sum()))
            prefix.append(symbol)
        return total

    def logits(self, source: list[int], prefix: list[int]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        key = (self.seed, *source, 99, *prefix)
        if key not in self._drawn:
            self._drawn[key] = np.random.default_rng(key).normal(size=self.vocabulary_size) * self.scale
        return self._drawn[key]


@pytest.fixture
def make_table_model(fresh_seed: int) -> Callable[..., TableModel]:
    def make(vocabulary_size: int, scale: float = 1.0) -> TableModel:
        return TableModel(fresh_seed, vocabulary_size, scale)

    return make


@pytest.fixture(scope="session", params=["gru", "lstm", "transformer"])
def bundle_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained bundle: letters to symbols."""
    architecture = str(request.param)
    folder = tmp_path_factory.mktemp("bundle") / architecture
    source = train_subword(["abcdefghij klmnop"], SubwordSettings(model="char"))
    target = train_subword(["aa bb cc dd ee ff gg"], SubwordSettings(model="symbols"))
    settings = ModelSection.model_validate({"architecture": architecture, "width": 16, "feedforward_width": 32, "heads": 2})
    config = BundleConfig(
        model=settings,
        source_vocabulary_size=source.vocabulary_size,
        target_vocabulary_size=target.vocabulary_size,
        joint=False,
    )
    torch.manual_seed(5)
    model = build_model(settings, source.vocabulary_size, target.vocabulary_size, joint=False)
    save_bundle(folder, model, config, source, target, {"train.source.values.npy": "00" * 32})
    return folder


@pytest.fixture(scope="session")
def predictor(bundle_folder: Path) -> Predictor:
    bundle = load_bundle(bundle_folder)
    bundle.model.double()  # so that near ties never fall differently in batches of other sizes
    return Predictor(bundle)
