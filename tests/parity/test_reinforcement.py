"""Gradients from samples against the exact ones, by enumeration of everything that a model with a tiny vocabulary can say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import product
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from seq2seq_core.batching.batch import Batch, Source
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.train import Phase
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.objectives import reinforcement
from seq2seq_core.training.objectives.judged.text_judge import TextJudge
from seq2seq_core.training.objectives.objective import Measure, Moment, UpdateSize
from seq2seq_core.training.objectives.reinforcement import MinimumRisk, SelfCritical, self_critical_loss
from seq2seq_core.training.objectives.reward import RewardScorer, sentence_rewards
from seq2seq_core.training.objectives.samples import Sample, draw_samples, score_samples

V, BOS, EOS = 6, 2, 3
SYMBOLS = (1, 4, 5)  # what can be said: all but pad, bos and eos
LIMIT = 2
REFERENCE = (4,)
BATCH = Batch(
    source=Source(torch.tensor([[5, 4, 3]]), torch.tensor([3])),
    target_in_BT=torch.tensor([[BOS, 4]]),
    target_out_BT=torch.tensor([[4, EOS]]),
    target_lengths_B=torch.tensor([2]),
    num_target_tokens=2,
    indices=np.arange(1),
)
EVERYTHING = [Sample(ids, is_cut=length == LIMIT) for length in range(LIMIT + 1) for ids in product(SYMBOLS, repeat=length)]


class Letters:
    """Ids as text, a letter each."""

    tag_ids = range(0)

    def decode(self, rows: Sequence[Sequence[int]]) -> list[str]:
        return ["".join(f"{id_}" for id_ in row if id_ not in (0, BOS, EOS)) for row in rows]


def make_model(architecture: str) -> Seq2Seq:
    section = ModelSection.model_validate({"architecture": architecture, "width": 8, "heads": 2, "dropout": 0.0})
    model = build_model(section, V, V, joint=False).train()
    with torch.no_grad():
        if architecture == "gru":  # fresh weights of a recurrent model give all symbols almost the same probability
            for parameter in model.parameters():
                parameter.mul_(2.0)
    return model


def make_objective(kind: type[MinimumRisk] | type[SelfCritical], **settings: Any) -> MinimumRisk | SelfCritical:
    name = "minimum_risk" if kind is MinimumRisk else "self_critical"
    section = {"reward": "cer", "max_length_ratio": 1.0} | settings
    phase = Phase.model_validate({"objective": name, "label_smoothing": 0.0, "reinforcement": section})
    placement = Placement(torch.device("cpu"), is_bfloat16=False)
    return kind(phase, placement, cast(SubwordModel, Letters()), RewardScorer("cer", 0))


def reward(sample: Sample) -> float:
    """1 - cer against a reference of one letter, written out."""
    distance = len(sample.ids) - 1 if 4 in sample.ids else max(1, len(sample.ids))
    return 1.0 - distance


def log_probability(model: Seq2Seq, sample: Sample) -> Tensor:
    """The log-probability of a sample, symbol by symbol through the decoder's single steps."""
    state, previous, total = model.initial_state(model.encode(BATCH.source)), BOS, torch.zeros(())
    for symbol in [*sample.ids] if sample.is_cut else [*sample.ids, EOS]:
        step = model.step(torch.tensor([previous]), state)
        sayable_V = step.logits_NV[0, [1, 3, 4, 5]].log_softmax(-1)
        total = total + sayable_V[{1: 0, 3: 1, 4: 2, 5: 3}[symbol]]
        state, previous = step.state, symbol
    return total


def gradient(model: Seq2Seq, value: Tensor) -> Tensor:
    parts = torch.autograd.grad(value, list(model.parameters()), allow_unused=True)
    return torch.cat([torch.zeros(1) if part is None else part.flatten() for part in parts])


def exact_mean_reward(model: Seq2Seq) -> Tensor:
    return torch.stack([log_probability(model, sample).exp() * reward(sample) for sample in EVERYTHING]).sum()


def loss_of(objective: MinimumRisk | SelfCritical, model: Seq2Seq, seed: int = 0) -> Tensor:
    return objective.loss(model, BATCH, UpdateSize(2, 1), Moment(1, seed)).loss


def give_samples(monkeypatch: pytest.MonkeyPatch, samples: list[Sample]) -> None:
    """Has these samples drawn instead of random ones; greedy decoding stays."""
    draw = draw_samples

    def give(
        model: Seq2Seq, source: Source, limits: Any, num_samples: int, temperature: float, seed: int, prefixes: Any
    ) -> list[list[Sample]]:
        return [samples] if temperature else draw(model, source, limits, num_samples, temperature, seed, prefixes)

    monkeypatch.setattr(reinforcement, "draw_samples", give)


def is_close(found: Tensor, expected: Tensor, tolerance: float) -> bool:
    return float((found - expected).norm()) <= tolerance * float(expected.norm()) + 1e-5


@pytest.fixture(params=["gru", "transformer"])
def model(request: pytest.FixtureRequest) -> Seq2Seq:
    return make_model(request.param)


def test_the_probabilities_of_all_that_can_be_said_sum_to_one_and_equal_single_steps(model: Seq2Seq) -> None:
    scored = score_samples(model, BATCH.source, [EVERYTHING])
    expected = torch.stack([log_probability(model, sample) for sample in EVERYTHING])
    assert torch.allclose(scored.log_probabilities_N, expected, atol=1e-5)
    assert float(expected.detach().exp().sum()) == pytest.approx(1.0, abs=1e-5)


def test_samples_come_as_often_as_they_are_probable(model: Seq2Seq, fresh_seed: int) -> None:
    (samples,) = draw_samples(model.eval(), BATCH.source, [LIMIT], 6000, 1.0, fresh_seed)
    counts = Counter(samples)
    assert set(counts) <= set(EVERYTHING)
    for sample in EVERYTHING:
        assert counts[sample] / 6000 == pytest.approx(float(log_probability(model, sample).detach().exp()), abs=0.035)


def test_samples_depend_on_the_seed_alone(fresh_seed: int) -> None:
    model = make_model("gru").eval()
    drawn = []
    for seed in (fresh_seed, fresh_seed, fresh_seed + 1):
        torch.rand(int(torch.randint(1, 100, ())))  # whatever the global stream has been used for
        drawn.append(draw_samples(model, BATCH.source, [LIMIT], 200, 1.0, seed))
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_without_temperature_the_likeliest_symbol_is_taken_each_time(model: Seq2Seq) -> None:
    ((greedy,),) = draw_samples(model.eval(), BATCH.source, [LIMIT], 1, 0.0, 0)
    ids: list[int] = []
    while len(ids) < LIMIT:
        successors = {symbol: log_probability(model, Sample((*ids, symbol), is_cut=True)) for symbol in SYMBOLS}
        best = max(successors, key=lambda symbol: float(successors[symbol].detach()))
        if log_probability(model, Sample(tuple(ids), is_cut=False)) > successors[best]:
            break
        ids.append(best)
    assert greedy == Sample(tuple(ids), is_cut=len(ids) == LIMIT)


def test_the_risk_of_the_full_set_of_samples_has_the_exact_gradient(model: Seq2Seq, monkeypatch: pytest.MonkeyPatch) -> None:
    give_samples(monkeypatch, EVERYTHING)
    loss = loss_of(make_objective(MinimumRisk, sharpness=1.0), model)
    exact = 1.0 - exact_mean_reward(model)
    assert float(loss.detach()) == pytest.approx(float(exact.detach()), abs=1e-4)
    assert is_close(gradient(model, loss), gradient(model, exact), 1e-3)


class TurningJudge:
    """Restores a source by turning a sample around."""

    def restore(self, texts: Sequence[str]) -> list[str]:
        return [text[::-1] for text in texts]

    def sources_of(self, source: Source) -> list[str]:
        return Letters().decode(source.values.tolist())


def test_with_a_judge_the_reward_is_of_the_source_that_it_restores(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model("gru")
    give_samples(monkeypatch, EVERYTHING)
    plain = make_objective(MinimumRisk, sharpness=1.0)
    judged = MinimumRisk(
        Phase.model_validate({"objective": "minimum_risk", "label_smoothing": 0.0, "reinforcement": plain.settings}),
        plain.placement, plain.tokenizer, plain.scorer, cast(TextJudge, TurningJudge()),
    )  # fmt: skip
    loss = loss_of(judged, model)
    restored = TurningJudge().restore(Letters().decode([sample.ids for sample in EVERYTHING]))
    rewards = sentence_rewards("cer", [(text, "54") for text in restored])
    assert max(rewards) == 1.0  # of the sample 4 5
    terms = [log_probability(model, sample).exp() * (1.0 - one) for sample, one in zip(EVERYTHING, rewards, strict=True)]
    exact = torch.stack(terms).sum()
    assert float(loss.detach()) == pytest.approx(float(exact.detach()), abs=1e-4)
    assert is_close(gradient(model, loss), gradient(model, exact), 1e-3)


@pytest.mark.parametrize("sharpness", [0.05, 3.0])
def test_the_risk_of_a_subset_follows_the_formula(model: Seq2Seq, monkeypatch: pytest.MonkeyPatch, sharpness: float) -> None:
    subset = EVERYTHING[1::3]
    give_samples(monkeypatch, [*subset, subset[0]])  # a sample that is drawn twice counts once
    loss = loss_of(make_objective(MinimumRisk, sharpness=sharpness), model)
    powers = torch.stack([log_probability(model, sample).exp() ** sharpness for sample in subset])
    risks = torch.tensor([1.0 - reward(sample) for sample in subset])
    exact = (powers / powers.sum() * risks).sum()  # Shen 2016, equations 9 and 10
    assert float(loss.detach()) == pytest.approx(float(exact.detach()), abs=1e-4)
    assert is_close(gradient(model, loss), gradient(model, exact), 1e-2)


def test_the_risk_of_many_samples_comes_close_to_the_exact_gradient(fresh_seed: int) -> None:
    model = make_model("gru")
    loss = loss_of(make_objective(MinimumRisk, sharpness=1.0, num_samples=1024), model, fresh_seed)
    assert is_close(gradient(model, loss), gradient(model, 1.0 - exact_mean_reward(model)), 0.1)


def test_the_reference_can_be_one_of_the_samples(model: Seq2Seq, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Sample((5,), is_cut=False)
    give_samples(monkeypatch, [wrong])
    loss = loss_of(make_objective(MinimumRisk, sharpness=1.0, num_samples=1, includes_reference=True), model)
    probabilities = [log_probability(model, sample).exp() for sample in (Sample(REFERENCE, is_cut=False), wrong)]
    assert float(loss.detach()) == pytest.approx(
        float((probabilities[1] / (probabilities[0] + probabilities[1])).detach()), abs=1e-4
    )


def test_the_mean_of_the_self_critical_gradient_over_all_samples_is_the_exact_one(
    model: Seq2Seq, monkeypatch: pytest.MonkeyPatch
) -> None:
    mean: Tensor | float = 0.0
    for sample in EVERYTHING:
        give_samples(monkeypatch, [sample])
        loss = loss_of(make_objective(SelfCritical, num_samples=1), model)
        mean = mean + log_probability(model, sample).exp().detach() * gradient(model, loss)
        monkeypatch.undo()
    assert isinstance(mean, Tensor)
    assert is_close(mean, gradient(model, -exact_mean_reward(model)), 1e-3)


def test_the_self_critical_gradient_of_many_samples_comes_close_to_the_exact_one(fresh_seed: int) -> None:
    model = make_model("gru")
    objective = make_objective(SelfCritical, num_samples=1024)
    found = torch.stack([gradient(model, loss_of(objective, model, fresh_seed + number)) for number in range(20)]).mean(0)
    assert is_close(found, gradient(model, -exact_mean_reward(model)), 0.15)


def test_the_self_critical_loss_follows_the_formula() -> None:
    log_probabilities_BK, rewards_BK, baseline_B = torch.randn(2, 3), torch.rand(2, 3), torch.rand(2)
    loss_B = self_critical_loss(log_probabilities_BK, rewards_BK, baseline_B)
    for b in range(2):
        terms = [float((rewards_BK[b, k] - baseline_B[b]) * log_probabilities_BK[b, k]) for k in range(3)]
        assert float(loss_B[b]) == pytest.approx(-sum(terms) / 3, abs=1e-5)


@pytest.mark.parametrize("kind", [MinimumRisk, SelfCritical])
def test_the_likelihood_is_added_with_its_weight(kind: type[MinimumRisk], model: Seq2Seq, fresh_seed: int) -> None:
    plain, mixed = (loss_of(make_objective(kind, likelihood_weight=weight), model, fresh_seed) for weight in (0.0, 0.3))
    negative_log_likelihood = -model(BATCH.source, BATCH.target_in_BT).log_softmax(-1)[0, [0, 1], [4, EOS]].sum()
    expected = gradient(model, plain) + 0.3 * gradient(model, negative_log_likelihood / 2)
    assert is_close(gradient(model, mixed), expected, 1e-3)


def test_the_curves_get_rewards_entropy_and_risk(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model("gru")
    samples = [Sample((4,), is_cut=False), Sample((5, 5), is_cut=True), Sample((4,), is_cut=False)]
    give_samples(monkeypatch, samples)
    result = make_objective(MinimumRisk, num_samples=3, sharpness=1.0).loss(model, BATCH, UpdateSize(2, 1), Moment(1, 0))
    means = {name: measure.total / measure.number for name, measure in result.measures.items()}
    assert means["reward"] == pytest.approx((1.0 - 1.0 + 1.0) / 3)
    assert means["risk"] == pytest.approx(float(result.loss.detach()))
    distinct = [log_probability(model, sample) for sample in samples[:2]]
    assert means["sample_log_probability"] == pytest.approx(float(torch.stack(distinct).detach().mean()), abs=1e-4)
    critical = make_objective(SelfCritical, num_samples=3).loss(model, BATCH, UpdateSize(2, 1), Moment(1, 0)).measures
    ((greedy,),) = draw_samples(model.eval(), BATCH.source, [LIMIT], 1, 0.0, 0)
    assert critical["baseline_reward"] == Measure(reward(greedy), 1.0)
    assert set(critical) == {"reward", "baseline_reward", "entropy", "sample_log_probability"}


@pytest.mark.parametrize("kind", [MinimumRisk, SelfCritical])
def test_in_bfloat16_the_gradient_is_about_the_same(kind: type[MinimumRisk], monkeypatch: pytest.MonkeyPatch) -> None:
    give_samples(monkeypatch, EVERYTHING)
    model = make_model("gru")
    gradients = []
    for is_bfloat16 in (False, True):
        objective = make_objective(kind, num_samples=len(EVERYTHING), sharpness=1.0, likelihood_weight=0.5)
        objective.placement = objective.likelihood.placement = Placement(torch.device("cpu"), is_bfloat16)
        gradients.append(gradient(model, loss_of(objective, model)))
    assert is_close(gradients[1], gradients[0], 0.2)


def test_the_entropy_is_that_of_each_choice_of_the_model() -> None:
    model = make_model("gru")
    scored = score_samples(model, BATCH.source, [[Sample((4, 5), is_cut=True)]])
    log_probs_TV = model(BATCH.source, torch.tensor([[BOS, 4]]))[0][:, [1, 3, 4, 5]].log_softmax(-1)
    assert scored.num_symbols == 2
    assert scored.entropy == pytest.approx(float(-(log_probs_TV.exp() * log_probs_TV).sum().detach()), abs=1e-4)
