from __future__ import annotations

import re

import pytest
import torch

from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.train import TrainSection
from seq2seq_core.errors import UserError
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.training.updates.freezing import freeze_parts, frozen_parameters, known_parts
from seq2seq_core.training.updates.optimizer import build_optimizer, optimizer_tensors


def make_model(tie: str = "target") -> Seq2Seq:
    section = {"architecture": "transformer", "width": 8, "heads": 2, "encoder_layers": 2, "tie_embeddings": tie}
    return build_model(ModelSection.model_validate(section), 9, 9, joint=True)


def test_a_part_is_a_name_with_all_that_is_below_it() -> None:
    model = make_model()
    names = [name for name, _ in model.named_parameters()]
    assert frozen_parameters(model, ["encoder"]) == {name for name in names if name.startswith("encoder.")}
    assert frozen_parameters(model, ["embedding"]) == {"source_embedding.table.weight", "target_embedding.table.weight"}
    first, second = (frozen_parameters(model, [f"encoder.layers.{number}"]) for number in (0, 1))
    assert first
    assert second
    assert not first & second
    assert frozen_parameters(model, ["output.bias", "target_embedding"]) == {"output.bias", "target_embedding.table.weight"}
    assert frozen_parameters(model, []) == set()


def test_a_shared_embedding_is_frozen_as_the_targets() -> None:
    assert frozen_parameters(make_model("all"), ["embedding"]) == {"target_embedding.table.weight"}


def test_unknown_names_are_refused_with_those_that_are_known() -> None:
    message = (
        "train.freeze: 'encoders', 'encoder.layer' names no parameter of this model; expected some of embedding, source_embedding, "
        "target_embedding, encoder, decoder, output, or a longer beginning of a parameter's name, such as "
    )
    with pytest.raises(UserError, match=rf"^{re.escape(message)}encoder\.layers\.0$"):
        frozen_parameters(make_model(), ["encoders", "encoder", "encoder.layer"])


def test_freezing_everything_is_refused() -> None:
    model = make_model()
    message = r"^train\.freeze: .+ leaves nothing to train, expected a part that learns$"
    with pytest.raises(UserError, match=message):
        frozen_parameters(model, [part for part in known_parts(model) if part != "embedding"])


def test_frozen_parameters_have_neither_gradient_nor_optimiser_state_and_do_not_move() -> None:
    model = make_model()
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)  # what an earlier phase left
    freeze_parts(model, ["decoder"])
    assert all(parameter.grad is None for parameter in model.parameters())
    optimizer = build_optimizer(model, TrainSection(weight_decay=0.5, learning_rate=0.1))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    sum((parameter**2).sum() for parameter in model.parameters() if parameter.requires_grad).backward()  # type: ignore[union-attr]
    optimizer.step()
    moved = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    frozen = frozen_parameters(model, ["decoder"])
    assert frozen
    assert not moved & frozen
    assert {key.split(".", 1)[1] for key in optimizer_tensors(optimizer, model)} == {
        name for name, _ in model.named_parameters() if name not in frozen
    }


def test_a_later_phase_thaws_what_it_does_not_name() -> None:
    model = make_model()
    freeze_parts(model, ["decoder"])
    freeze_parts(model, ["encoder"])
    assert {name for name, parameter in model.named_parameters() if not parameter.requires_grad} == frozen_parameters(
        model, ["encoder"]
    )
