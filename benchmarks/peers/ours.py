"""This repository's updates, padded or packed, or only their matrix products.

    python ours.py updates|packed|products SETTINGS.json

``benchmarks/training.py`` writes the settings.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.peers.turns import Turns
from seq2seq_core.batching.batch import Batch, collate
from seq2seq_core.batching.sampler import TokenBucketSampler
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.runtime import RuntimeSection
from seq2seq_core.config.train import TrainSection
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.reproducibility import derive_seed
from seq2seq_core.training.data.inputs import TrainingInputs, read_inputs
from seq2seq_core.training.hardware.acceleration import accelerate
from seq2seq_core.training.hardware.precision import choose_placement
from seq2seq_core.training.updates.updater import Updater, UpdateResult

PRODUCTS = {"aten::mm": 0, "aten::addmm": 1, "aten::addmm_": 1, "aten::bmm": 0, "aten::baddbmm": 1}
"""Matrix product operations, and the index of their first factor's argument."""
NUM_RECORDED = 6


class ProductRecorder(TorchDispatchMode):
    """Records the factors of every matrix product.

    Attributes:
        factors: shape and stride of both factors of each product, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.factors: list[tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Calls the operation, and records it if it is a product."""
        first = PRODUCTS.get(function._schema.name)
        if first is not None:
            self.factors.append(tuple((tuple(one.shape), one.stride()) for one in args[first : first + 2]))
        return function(*args, **(kwargs or {}))


class Reference:
    """The reference work: data, model, updates.

    Args:
        settings: the settings file; optional keys are ``seed`` (default 1) and ``recipe``, fields of section ``train`` (none).
        packing: whether layers skip padding.
    """

    def __init__(self, settings: dict[str, Any], packing: bool = False) -> None:
        self.inputs: TrainingInputs = read_inputs(Path(settings["tokenized"]), 10)
        self.placement = choose_placement(RuntimeSection(num_threads=settings["threads"], device=settings["device"]))
        section = TrainSection(batch_tokens=settings["batch_tokens"], **settings.get("recipe", {}))
        self.phase, self.seed = section.all_phases()[0], settings.get("seed", 1)
        self.model_section = ModelSection.model_validate(settings["model"])
        config = self.inputs.bundle_config(self.model_section)
        torch.manual_seed(self.seed)
        model = build_model(self.model_section, config.source_vocabulary_size, config.target_vocabulary_size, config.joint)
        accelerate(model, RuntimeSection(packing=packing))
        self.updater = Updater(model.to(self.placement.device), self.phase, self.placement)
        self.sampler = TokenBucketSampler(self.inputs.train, settings["batch_tokens"], self.seed)

    def batches(self) -> Iterator[Batch]:
        """The batches of one epoch after another, without end."""
        epoch = 0
        while True:
            for indices in self.sampler.epoch_batches(epoch):
                yield collate(self.inputs.train, indices)
            epoch += 1

    def update(self, batch: Batch, step: int) -> UpdateResult:
        """Makes one update."""
        return self.updater.apply([batch], step, derive_seed(self.seed, "update", step))


def updates(reference: Reference) -> None:
    """Makes updates until there are no more turns."""
    turns, batches, step = Turns(), reference.batches(), 0
    while True:
        turns.before_step()
        step += 1
        turns.after_step(reference.update(next(batches), step).target_tokens)


def products(reference: Reference) -> None:
    """Repeats the products of a few updates, with nothing between them, until there are no more turns."""
    turns, batches = Turns(), reference.batches()
    recorded = []
    for step in range(1, NUM_RECORDED + 1):
        batch = next(batches)
        with ProductRecorder() as recorder:
            reference.update(batch, step)
        recorded.append((recorder.factors, batch.num_target_tokens))
    device, dtype = reference.placement.device, reference.placement.product_dtype
    tensors: dict[Any, Tensor] = {}
    for factors, _ in recorded:
        for shape, stride in (one for pair in factors for one in pair):
            tensors[shape, stride] = torch.empty_strided(shape, stride, dtype=dtype, device=device).normal_()
    while True:
        for factors, target_tokens in recorded:
            turns.before_step()
            for first, second in factors:
                torch.matmul(tensors[first], tensors[second])
            if device.type == "cuda":
                torch.cuda.synchronize()
            turns.after_step(target_tokens)


def main() -> None:
    """Trains, or multiplies, until there are no more turns."""
    mode, settings = sys.argv[1], json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    run = {"updates": updates, "packed": updates, "products": products}[mode]
    run(Reference(settings, packing=mode == "packed"))


if __name__ == "__main__":
    main()
