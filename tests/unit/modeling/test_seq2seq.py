from __future__ import annotations

import itertools
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from seq2seq_core.batching.batch import Source
from seq2seq_core.config.model import ModelSection, PositionKind
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.modeling.seq2seq import Seq2Seq
from tests.unit.modeling.test_attention import KINDS

V_SOURCE, V_TARGET, NUM_TAGS = 13, 11, 3
LENGTHS = [7, 4, 1]

ARCHITECTURES: list[dict[str, Any]] = [
    *(
        {"architecture": cell, "attention": attention, "input_feeding": feeding}
        for cell, attention, feeding in itertools.product(["gru", "lstm"], KINDS, [False, True])
    ),
    {"architecture": "rnn", "attention": "multi_head", "bridge": "mean", "residual": True},
    {"architecture": "rnn", "attention": "dot", "bridge": "zero", "bidirectional": False},
    {"architecture": "gru", "attention": "additive", "coverage": True, "time_scaling": "gate"},
    {"architecture": "lstm", "attention": "additive", "coverage": True, "input_feeding": True, "time_reduction": 1},
    {"architecture": "gru", "attention": "general", "time_scaling": "sinusoidal", "time_reduction": 2},
    *({"architecture": "transformer", "norm": "post", "positions": positions} for positions in get_args(PositionKind)),
    {"architecture": "transformer"},
    {"architecture": "transformer", "positions": "rotary", "time_scaling": "gate"},
    {"architecture": "transformer", "norm": "post", "time_reduction": 2},
    {"encoder": "transformer", "decoder": "lstm", "attention": "multi_head", "time_reduction": 1},
    {"encoder": "lstm", "decoder": "transformer", "bidirectional": False, "positions": "rotary"},
    {"architecture": "transformer", "positions": "relative", "relative_distance": 2, "share_layers": True},
    {"architecture": "transformer", "positions": "relative_sinusoidal", "norm": "post", "decoder_layers": 1},
    *({"architecture": "transformer", "tag_positions": False, "positions": positions} for positions in ("sinusoidal", "learned")),
    {"architecture": "lstm", "alignment": "monotonic", "alignment_order": 1, "time_reduction": 1},
    {"encoder": "transformer", "decoder": "gru", "alignment": "monotonic"},
    {"architecture": "gru", "alignment": "edits"},
]
WITHOUT_ATTENTION = [
    {"architecture": cell, "attention": "none", "bridge": bridge} for cell, bridge in (("rnn", "last"), ("lstm", "mean"))
]
COPYING = [
    {"architecture": "gru", "pointer_generator": True},
    {"architecture": "lstm", "pointer_generator": True, "coverage": True},
    {"architecture": "transformer", "pointer_generator": True},
    {"architecture": "transformer", "pointer_generator": True, "share_layers": True, "tie_embeddings": "all"},
    {"architecture": "lstm", "alignment": "edits", "alignment_copies": True},
]


def name_of(settings: dict[str, Any]) -> str:
    return "-".join(value if isinstance(value, str) else f"{name}_{value}" for name, value in settings.items())


each_attentive = pytest.mark.parametrize("settings", [*ARCHITECTURES, *COPYING], ids=name_of)
each_architecture = pytest.mark.parametrize("settings", [*ARCHITECTURES, *COPYING, *WITHOUT_ATTENTION], ids=name_of)


def make_model(joint: bool = False, frame_width: int = 0, **settings: Any) -> Seq2Seq:
    joint = joint or bool(settings.get("pointer_generator") or settings.get("alignment_copies"))
    section = ModelSection.model_validate(
        {"width": 8, "heads": 2, "feedforward_width": 16, "encoder_layers": 2, "decoder_layers": 2, "dropout": 0.3} | settings
    )
    return build_model(section, V_TARGET if joint else V_SOURCE, V_TARGET, joint, frame_width, NUM_TAGS).eval()


def make_source() -> Source:
    lengths_B = torch.tensor(LENGTHS)
    values_BS = torch.randint(4, V_TARGET, (len(LENGTHS), max(LENGTHS)))
    return Source(values_BS.masked_fill(torch.arange(max(LENGTHS)) >= lengths_B.unsqueeze(1), 0), lengths_B)


def make_target(length: int = 5) -> Tensor:
    return torch.randint(4, V_TARGET, (len(LENGTHS), length))


def step_logits(model: Seq2Seq, source: Source, target_in_BT: Tensor) -> Tensor:
    state = model.initial_state(model.encode(source))
    logits = []
    for previous_ids_B in target_in_BT.unbind(dim=1):
        output = model.step(previous_ids_B, state)
        state = output.state
        logits.append(output.logits_NV)
    return torch.stack(logits, dim=1)


@each_architecture
@torch.no_grad()
def test_step_by_step_gives_the_logits_of_teacher_forcing(settings: dict[str, Any]) -> None:
    model, source, target_in_BT = make_model(**settings), make_source(), make_target()
    logits_BTV = model(source, target_in_BT)
    assert logits_BTV.shape == (3, 5, V_TARGET)
    assert torch.allclose(step_logits(model, source, target_in_BT), logits_BTV, atol=1e-5)


@each_architecture
@torch.no_grad()
def test_a_sentence_gets_the_same_logits_alone_and_in_a_padded_batch(settings: dict[str, Any]) -> None:
    model, source, target_in_BT = make_model(**settings), make_source(), make_target()
    together_BTV = model(source, target_in_BT)
    for row, length in enumerate(LENGTHS):
        alone = Source(source.values[row : row + 1, :length], source.lengths_B[row : row + 1])
        alone_1TV = model(alone, target_in_BT[row : row + 1])
        assert torch.allclose(alone_1TV[0], together_BTV[row], atol=1e-5)


@each_architecture
@torch.no_grad()
def test_what_stands_in_the_padding_changes_nothing(settings: dict[str, Any]) -> None:
    model, source, target_in_BT = make_model(**settings), make_source(), make_target()
    disturbed = Source(source.values.masked_fill(source.padding_mask_BS, 5), source.lengths_B)
    assert torch.allclose(model(source, target_in_BT), model(disturbed, target_in_BT), atol=1e-6)


@each_architecture
@torch.no_grad()
def test_a_position_sees_no_later_target_symbol(settings: dict[str, Any]) -> None:
    model, source, target_in_BT = make_model(**settings), make_source(), make_target()
    later_BT = target_in_BT.clone()
    later_BT[:, 3:] = (later_BT[:, 3:] - 3) % (V_TARGET - 4) + 4
    before_BTV, after_BTV = model(source, target_in_BT), model(source, later_BT)
    assert torch.allclose(before_BTV[:, :3], after_BTV[:, :3], atol=1e-6)
    assert not torch.allclose(before_BTV[:, 3:], after_BTV[:, 3:], atol=1e-6)


@each_architecture
@torch.no_grad()
def test_selected_hypotheses_go_on_as_if_they_had_always_been_there(settings: dict[str, Any]) -> None:
    """Sentences 0 and 2, in this order and then exchanged, with 1, 3, 2 and 2 hypotheses, each from any of its sentence's."""
    model, source = make_model(**settings), make_source()
    state, prefixes = model.initial_state(model.encode(source)), [[2], [2], [2]]
    sentences, moves = [0, 1, 2], [([0, 0, 0, 2, 2, 2], [0, 2]), ([1, 1, 4, 3], None), ([2, 3, 0, 0], [1, 0]), ([0, 1, 2, 3], None)]
    for number, (rows, chosen) in enumerate(moves):
        output = model.step(torch.tensor([prefix[-1] for prefix in prefixes]), state)
        width = len(prefixes) // len(sentences)
        for row, prefix in enumerate(prefixes):
            place = sentences[row // width]
            alone = Source(source.values[place : place + 1], source.lengths_B[place : place + 1])
            assert torch.allclose(output.logits_NV[row], model(alone, torch.tensor([prefix]))[0, -1], atol=1e-5)
        state = output.state.select(torch.tensor(rows), None if chosen is None else torch.tensor(chosen))
        prefixes = [[*prefixes[row], 4 + (3 * row + number + place) % (V_TARGET - 4)] for place, row in enumerate(rows)]
        sentences = sentences if chosen is None else [sentences[place] for place in chosen]
    assert sentences == [2, 0]


@each_attentive
@torch.no_grad()
def test_attention_of_a_step_sums_to_one_and_leaves_padding_out(settings: dict[str, Any]) -> None:
    model, source = make_model(**settings), make_source()
    memory = model.encode(source)
    attention_NS = model.step(torch.tensor([4, 5, 6]), model.initial_state(memory)).attention_NS
    assert attention_NS is not None
    assert attention_NS.shape == memory.padding_mask_BS.shape
    assert torch.allclose(attention_NS.sum(dim=1), torch.ones(3))
    assert attention_NS.masked_select(memory.padding_mask_BS).eq(0.0).all()


@pytest.mark.parametrize("settings", WITHOUT_ATTENTION, ids=name_of)
@torch.no_grad()
def test_a_decoder_without_attention_knows_the_source_by_its_initial_state(settings: dict[str, Any]) -> None:
    model, source, target_in_BT = make_model(**settings), make_source(), make_target()
    output = model.teacher_forced(source, target_in_BT)
    assert output.attention_BTS is None
    assert model.step(target_in_BT[:, 0], model.initial_state(model.encode(source))).attention_NS is None
    other = Source(source.values.flip(0), source.lengths_B.flip(0))
    assert not torch.allclose(model(other, target_in_BT)[0], output.logits_BTV[0], atol=1e-6)


@each_attentive
@torch.no_grad()
def test_the_attention_of_teacher_forcing_is_that_of_the_steps(settings: dict[str, Any]) -> None:
    model, source, target_in_BT = make_model(**settings), make_source(), make_target()
    attention_BTS = model.teacher_forced(source, target_in_BT).attention_BTS
    if settings.get("decoder", settings.get("architecture")) == "transformer" and "pointer_generator" not in settings:
        assert attention_BTS is None  # the fused attention keeps none
        return
    assert attention_BTS is not None
    state = model.initial_state(model.encode(source))
    for t, previous_ids_B in enumerate(target_in_BT.unbind(dim=1)):
        output = model.step(previous_ids_B, state)
        state = output.state
        assert output.attention_NS is not None
        assert torch.allclose(output.attention_NS, attention_BTS[:, t], atol=1e-5)


@each_architecture
def test_every_weight_gets_a_gradient(settings: dict[str, Any]) -> None:
    model = make_model(**settings)
    model(make_source(), make_target()).pow(2).sum().backward()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    # A dot product with a constant added to every key shifts all scores alike, which the softmax does not see.
    assert [name for name in without if not name.endswith("key_projection.bias")] == []


@each_architecture
def test_dropout_acts_in_training_only(settings: dict[str, Any]) -> None:
    model, source, target_in_BT = make_model(**settings), make_source(), make_target()
    assert torch.equal(model(source, target_in_BT), model(source, target_in_BT))
    model.train()
    assert not torch.equal(model(source, target_in_BT), model(source, target_in_BT))


@each_architecture
def test_the_same_random_stream_gives_the_same_model(settings: dict[str, Any]) -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(7)
        states.append(make_model(**settings).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize("time_reduction", [0, 2])
@pytest.mark.parametrize("architecture", ["gru", "transformer"])
@torch.no_grad()
def test_a_source_of_frames_goes_the_same_way(architecture: str, time_reduction: int) -> None:
    model = make_model(architecture=architecture, time_reduction=time_reduction, frame_width=3)
    frames_BSF = torch.randn(3, 7, 3)
    source = Source(frames_BSF, torch.tensor(LENGTHS))
    target_in_BT = make_target()
    together_BTV = model(source, target_in_BT)
    assert torch.allclose(step_logits(model, source, target_in_BT), together_BTV, atol=1e-5)
    for row, length in enumerate(LENGTHS):
        alone = Source(frames_BSF[row : row + 1, :length], source.lengths_B[row : row + 1])
        assert torch.allclose(model(alone, target_in_BT[row : row + 1])[0], together_BTV[row], atol=1e-5)


def test_tied_weights_stand_once_in_the_state() -> None:
    def names(tie: str) -> set[str]:
        model = make_model(joint=True, tie_embeddings=tie)
        state = model.state_dict(keep_vars=True)
        assert len({id(tensor) for tensor in state.values()}) == len(state)
        return {name for name in state if "table" in name or name.startswith("output.weight")}

    assert names("none") == {"source_embedding.table.weight", "target_embedding.table.weight", "output.weight_VD"}
    assert names("target") == {"source_embedding.table.weight", "target_embedding.table.weight"}
    assert names("all") == {"target_embedding.table.weight"}


@pytest.mark.parametrize(("joint", "frame_width"), [(False, 0), (True, 3)])
def test_a_source_of_its_own_cannot_share_the_target_embedding(joint: bool, frame_width: int) -> None:
    expected = "model.tie_embeddings: must be 'none' or 'target' unless both sides share one vocabulary, got 'all'"
    with pytest.raises(ValueError, match="^" + expected.replace(".", r"\.") + "$"):
        make_model(joint=joint, frame_width=frame_width, tie_embeddings="all")


@pytest.mark.parametrize(("joint", "frame_width"), [(False, 0), (True, 3)])
def test_nothing_is_copied_from_a_source_of_its_own(joint: bool, frame_width: int) -> None:
    section = ModelSection(width=8, pointer_generator=True)
    expected = r"^model\.pointer_generator: must be false unless both sides share one vocabulary, got true$"
    with pytest.raises(ValueError, match=expected):
        build_model(section, V_SOURCE, V_TARGET, joint, frame_width=frame_width)
