"""The model of speech: its layers against formulas, steps against teacher forcing, a sentence alone against a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from seq2seq_core.batching.batch import Batch, Source, collate_sources
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.regularization import ScheduledSampling
from seq2seq_core.config.speech.speech_settings import FrameLoss
from seq2seq_core.decoding.speech.frame_loop import write_utterances
from seq2seq_core.modeling.attention.location import LocationAttention
from seq2seq_core.modeling.layers.frame_layers import PostNet, PreNet, step_masks
from seq2seq_core.modeling.speech_model import SpeechModel, build_speech_model
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.objectives.frame_differences import FrameDifferences, guide_sum
from seq2seq_core.training.objectives.objective import Moment, UpdateSize
from seq2seq_core.training.objectives.scheduled_sampling import mix_in_frames

MODELS: list[dict[str, Any]] = [
    {"architecture": "gru", "attention": "location", "decoder_layers": 2, "drops_in_decoding": True},
    {"architecture": "lstm", "attention": "additive", "input_feeding": True, "time_reduction": 1},
    {"architecture": "transformer", "feedforward_width": 32},
]
SOURCE = collate_sources([[3, 4, 5, 6, 2], [3, 2]])
LENGTHS = torch.tensor([7, 4])


def make(drops_in_decoding: bool = False, **settings: Any) -> SpeechModel:
    frames = {"frames_per_step": 2, "pre_net_width": 8, "post_net_width": 8, "post_net_layers": 2} | {
        "drops_in_decoding": drops_in_decoding
    }
    return build_speech_model(ModelSection(width=16, frames=frames, **settings), 10, 6).eval()


@pytest.mark.parametrize("settings", MODELS)
def test_steps_give_what_teacher_forcing_gives_alone_and_in_a_batch(settings: dict[str, Any]) -> None:
    model, frames = make(**settings), torch.randn(2, 7, 6)
    with torch.no_grad():
        written = model.write(SOURCE, frames, LENGTHS)
        state, last, found = model.initial_state(model.encode(SOURCE)), torch.zeros(2, 6), []
        for number in range(4):
            step = model.write_step(last, state, number)
            found.append(step)
            state, last = step.state, frames[:, min(2 * number + 1, 6)]
        alone = model.write(Source(SOURCE.values[1:, :2], SOURCE.lengths_B[1:]), frames[1:, :4], LENGTHS[1:])
    assert torch.allclose(torch.cat([step.frames_NPM for step in found], dim=1)[:, :7], written.before_BTM, atol=1e-5)
    assert torch.allclose(torch.stack([step.stop_N for step in found], dim=1), written.stop_BR, atol=1e-5)
    assert torch.allclose(torch.stack([step.attention_NS for step in found], dim=1), written.attention_BRS, atol=1e-5)
    assert torch.allclose(alone.after_BTM[0], written.after_BTM[1, :4], atol=1e-5)


@pytest.mark.parametrize("settings", MODELS)
def test_what_it_says_in_training_is_what_it_says_in_decoding_with_a_gradient(settings: dict[str, Any]) -> None:
    model = make(**settings)
    with torch.no_grad():
        model.stop_output.bias.fill_(-50.0)  # no end but the limit
    written = write_utterances(model, SOURCE, 8)
    spoken = model.speak(SOURCE, torch.tensor([8, 5]))
    assert spoken.after_BTM.shape == (2, 8, 6)
    assert torch.allclose(spoken.after_BTM[0], torch.from_numpy(written[0].frames_TM), atol=1e-5)
    weights = torch.from_numpy(written[1].attention_RS)
    assert torch.allclose(spoken.attention_BRS[1, :, : weights.shape[1]], weights, atol=1e-5)
    shorter = model.speak(SOURCE, torch.tensor([7, 5]))
    assert torch.allclose(shorter.before_BTM, spoken.before_BTM[:, :7], atol=1e-6)
    last = spoken.after_BTM[:, -1].sum()
    (gradient,) = torch.autograd.grad(last, model.pre_net.first.weight)  # through all that the model wrote before
    assert float(gradient.abs().sum()) > 0.0


@torch.no_grad()
def test_location_attention_is_by_its_formula() -> None:
    attention, query, memory, before = LocationAttention(8), torch.randn(2, 1, 8), torch.randn(2, 40, 8), torch.rand(2, 1, 40)
    scores = attention.scores(query, attention.keys(memory), before)
    for row in range(2):
        padded = functional.pad(before[row, 0], (15, 15))
        for place in (0, 3, 39):
            heard = torch.stack([(padded[place : place + 31] * one[0]).sum() for one in attention.filters.weight])
            hidden = attention.query_projection(query[row, 0]) + attention.key_projection(memory[row, place])
            expected = attention.energy(torch.tanh(hidden + attention.location_projection(heard)))
            assert float(scores[row, 0, place]) == pytest.approx(float(expected), abs=1e-5)


def test_the_layers_around_are_those_of_torch() -> None:
    pre_net, frames = PreNet(6, 5, 4, 0.5).eval(), torch.randn(2, 3, 6)
    hidden = functional.linear(functional.linear(frames, pre_net.first.weight, pre_net.first.bias).relu(),
                               pre_net.second.weight, pre_net.second.bias).relu()  # fmt: skip
    assert torch.allclose(pre_net(frames), functional.linear(hidden, pre_net.projection.weight, pre_net.projection.bias), atol=1e-6)
    assert not torch.equal(pre_net.train()(frames), pre_net(frames))
    half_blind = PreNet(6, 5, 4, 0.0, frame_dropout=0.5).train()
    is_dropped = torch.isclose(half_blind(torch.ones(2, 500, 6)), half_blind.eval()(torch.zeros(6)), atol=1e-6).all(dim=-1)
    assert float(is_dropped.float().mean()) == pytest.approx(0.5, abs=0.1)
    post_net = PostNet(6, 2, 5, 3, 0.0)
    first, second = post_net.convolutions
    inner = functional.conv1d(frames.transpose(1, 2), first.weight, first.bias, padding=1).tanh()  # type: ignore[arg-type]
    expected = functional.conv1d(inner, second.weight, second.bias, padding=1).transpose(1, 2)  # type: ignore[arg-type]
    assert torch.allclose(post_net(frames, torch.zeros(2, 3, dtype=torch.bool)), expected, atol=1e-6)


@torch.no_grad()
def test_the_loss_is_by_its_formula() -> None:
    model, frames = make(**MODELS[0]), torch.randn(2, 7, 6)
    settings = FrameLoss(l1_weight=2.0, l2_weight=3.0, stop_weight=5.0, stop_positive_weight=4.0, guided_attention_weight=7.0)
    batch = Batch(SOURCE, frames, frames, LENGTHS, 11, np.arange(2))
    objective = FrameDifferences(settings, Placement(torch.device("cpu"), is_bfloat16=False))
    found = objective.loss(model, batch, UpdateSize(11, 2), Moment(1, 1))
    written = model.write(SOURCE, frames, LENGTHS)
    expected = plain = 0.0
    for row, length in enumerate(LENGTHS.tolist()):
        steps, sources = -(-length // 2), int(SOURCE.lengths_B[row])
        for output in (written.before_BTM, written.after_BTM):
            gap = output[row, :length] - frames[row, :length]
            expected += 2.0 * float(gap.abs().mean(dim=1).sum()) + 3.0 * float((gap**2).mean(dim=1).sum())
        plain += float((written.after_BTM[row, :length] - frames[row, :length]).abs().mean(dim=1).sum())
        for step in range(steps):
            chance = float(torch.sigmoid(written.stop_BR[row, step]))
            stop = -4.0 * np.log(chance) if step == steps - 1 else -np.log(1 - chance)
            guide = sum(
                float(written.attention_BRS[row, step, place])
                * (1 - np.exp(-((place / sources - step / steps) ** 2) / (2 * 0.2**2)))
                for place in range(sources)
            )
            expected += 2 * (5.0 * stop + 7.0 * guide)
            plain += 2 * stop
    assert float(found.loss) == pytest.approx(expected / 11, rel=1e-4)
    assert float(found.negative_log_likelihood) == pytest.approx(plain, rel=1e-4)


def test_attention_on_the_diagonal_costs_nothing_and_off_it_up_to_one_a_step() -> None:
    diagonal = torch.eye(6).unsqueeze(0)
    assert float(guide_sum(diagonal, torch.tensor([6]), torch.tensor([6]), 0.2)) == pytest.approx(0.0, abs=1e-6)
    assert float(guide_sum(diagonal.flip(2), torch.tensor([6]), torch.tensor([6]), 0.05)) > 5.9
    assert float(guide_sum(diagonal.flip(2), torch.tensor([6]), torch.tensor([1]), 0.05)) <= 1.0


def test_a_decoder_without_attention_is_refused() -> None:
    with pytest.raises(ValueError, match="must be one where the targets are frames, got 'none'"):
        make(architecture="gru", attention="none")


@torch.no_grad()
def test_what_decoding_drops_depends_on_the_number_of_the_step_alone() -> None:
    masks = step_masks(range(400), 8, 0.25)
    assert sorted(set(masks.flatten().tolist())) == pytest.approx([0.0, 1 / 0.75])
    assert float((masks == 0).float().mean()) == pytest.approx(0.25, abs=0.03)
    assert torch.equal(step_masks(range(5, 6), 8, 0.25), masks[5:6])
    frames, dropping, plain = torch.randn(2, 1, 6), PreNet(6, 8, 4, 0.5, drops_in_decoding=True).eval(), PreNet(6, 8, 4, 0.5).eval()
    plain.load_state_dict(dropping.state_dict())
    assert torch.equal(dropping(frames, 3), dropping(frames, 3))
    assert not torch.equal(dropping(frames, 3), dropping(frames, 4))
    assert not torch.equal(dropping(frames, 3), plain(frames, 3))


def test_scheduled_sampling_shows_steps_what_the_model_wrote_there() -> None:
    model, frames = make(architecture="gru", attention="additive", dropout=0.0).train(), torch.randn(2, 7, 6)
    batch = Batch(SOURCE, frames, frames, LENGTHS, 11, np.arange(2))
    with torch.no_grad():
        written = model.eval().write(SOURCE, frames, LENGTHS).before_BTM
    assert torch.equal(mix_in_frames(model.train(), batch, 1.1, 0), frames)
    assert torch.allclose(mix_in_frames(model, batch, 0.0, 0), written, atol=1e-6)
    mixed = mix_in_frames(model, batch, 0.5, 3)
    is_own = (mixed != frames).all(dim=2)
    assert torch.equal(is_own[:, 0:6:2], is_own[:, 1:6:2])  # the two frames of a step stay together
    assert 0 < int(is_own.sum()) < is_own.numel()
    assert torch.equal(mix_in_frames(model, batch, 0.5, 3), mixed)
    placement, losses = Placement(torch.device("cpu"), is_bfloat16=False), []
    for decay in ("none", "linear", "linear"):
        torch.manual_seed(0)  # of dropout
        objective = FrameDifferences(FrameLoss(), placement, sampling=ScheduledSampling(decay=decay, decay_steps=10))
        losses.append(float(objective.loss(model, batch, UpdateSize(11, 2), Moment(10, 5)).loss.detach()))
    assert losses[1] == losses[2] != losses[0]
