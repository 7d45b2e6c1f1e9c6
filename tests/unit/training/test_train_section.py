from __future__ import annotations

from typing import Any

import pytest

from seq2seq_core.config.regularization import ScheduledSampling
from seq2seq_core.config.settings import parse_settings
from seq2seq_core.config.train import TrainSection
from seq2seq_core.errors import ConfigError

OBJECTIVES = "one of 'likelihood', 'minimum_risk', 'self_critical', 'denoising', 'back_translation' or 'frames'"


def faults(others: dict[str, Any] | None = None, **train: Any) -> list[str]:
    sections = {"corpus": {"path": "x", "files": {"train": ["t.tsv"]}}, "register": {"model_name": "m"}, "train": train}
    sections |= others or {}
    with pytest.raises(ConfigError) as caught:
        parse_settings(sections, "params.yaml")
    return caught.value.faults


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_a_warm_up_as_long_as_training_is_refused_where_the_rate_falls_to_the_last_step(schedule: str) -> None:
    assert faults(schedule=schedule, warmup_steps=100, max_steps=100) == [
        f"train: warmup_steps must be below max_steps with schedule '{schedule}', got warmup_steps 100 and max_steps 100"
    ]


def test_plateaus_that_come_after_the_end_are_refused() -> None:
    assert faults(schedule="plateau", patience=3) == [
        "train: plateau.patience must be below patience with schedule 'plateau', or training stops before the rate falls, "
        "got 3 and patience 3"
    ]
    for fields in ({"schedule": "plateau", "patience": 0}, {"schedule": "plateau", "patience": 4}, {"patience": 1}):
        TrainSection.model_validate(fields)


def test_two_averages_of_the_weights_are_refused_also_in_a_phase_that_inherits_one() -> None:
    fault = "average_last must be 0 with average_decay above 0 (one average of the weights), got 3 and average_decay 0.9"
    assert faults(average_decay=0.9, average_last=3) == [f"train: {fault}"]
    phases = [{"objective": "likelihood", "average_last": 3}]
    assert faults(average_decay=0.9, phases=phases) == [f"train.phases.0: {fault}"]


@pytest.mark.parametrize(
    ("train", "fault"),
    [
        ({"optimizer": "sgd"}, "train.optimizer: must be one of 'adamw' or 'adafactor', got 'sgd'"),
        ({"plateau": {"factor": 1}}, "train.plateau.factor: must be below 1.0, got 1"),
        ({"divergence": {"action": "hope"}}, "train.divergence.action: must be one of 'stop' or 'step_back', got 'hope'"),
        ({"divergence": {"spike_factor": 0.5}}, "train.divergence: spike_factor must be above 1, or 0 for none, got 0.5"),
        ({"divergence": {"rate_factor": 0}}, "train.divergence.rate_factor: must be above 0.0, got 0"),
        ({"freeze": [""]}, "train.freeze.0: must be a text of at least 1 character(s), got ''"),
        ({"initial_digest": "abc"}, "train.initial_digest: must be a text that matches ^([0-9a-f]{64})?$, got 'abc'"),
        ({"initial_digest": "0" * 64}, "train: initial_digest must be empty without initial_weights, got one"),
    ],
)
def test_every_fault_of_the_recipe_is_named(train: dict[str, Any], fault: str) -> None:
    assert faults(**train) == [fault]


def test_what_begins_with_given_weights_may_learn_by_reward_at_once() -> None:
    phases = [{"objective": "minimum_risk"}]
    assert len(TrainSection.model_validate({"initial_weights": "models/base", "phases": phases}).phases) == 1


def test_a_decay_of_one_is_refused() -> None:
    assert faults(adam_betas=[0.9, 1.0]) == ["train.adam_betas.1: must be below 1.0, got 1.0"]


def test_a_fault_of_a_phase_is_named_by_its_place_in_the_list() -> None:
    phases: list[Any] = [
        {"objective": "likelihood"},
        {"objective": "beauty", "learning_rate": 2, "max_step": 3},
        {"objective": "likelihood", "seed": 3},
        3,
        {},
        {"objective": "likelihood", "schedule": "cosine", "max_steps": 5},
    ]
    assert faults(phases=phases) == [
        "train.phases.1.learning_rate: must be at most 1.0, got 2",
        f"train.phases.1.objective: must be {OBJECTIVES}, got 'beauty'",
        "train.phases.1.max_step: must be a known setting, got an unknown name (value 3)",
        "train.phases.2.seed: must be a known setting, got an unknown name (value 3)",
        "train.phases.3: must be a mapping of settings, got 3",
        "train.phases.4.objective: must be given, got nothing",
        "train.phases.5: warmup_steps must be below max_steps with schedule 'cosine', got warmup_steps 400 and max_steps 5",
    ]


def test_a_fault_of_the_flat_settings_is_named_once_and_not_with_each_phase() -> None:
    assert faults(learning_rate="fast", phases=[{"objective": "likelihood"}, {"objective": "likelihood"}]) == [
        "train.learning_rate: must be a number, got 'fast'"
    ]


def test_the_metrics_of_a_training_are_those_that_its_phases_read() -> None:
    phases = [
        {"objective": "likelihood", "dev_metric": "wer", "reinforcement": {"reward": "cer"}},
        {"objective": "minimum_risk", "dev_metric": "wer", "reinforcement": {"reward": "rougeL"}},
    ]
    sections = {"corpus": {"path": "x", "files": {"train": ["t.tsv"]}}, "register": {"model_name": "m"}}
    assert parse_settings(sections | {"train": {"phases": phases}}, "test").train.named_metrics() == ["wer", "rougeL"]
    assert parse_settings(sections, "test").train.named_metrics() == []


def test_a_phase_by_a_score_needs_decoded_sentences() -> None:
    phases = [{"objective": "likelihood"}, {"objective": "likelihood", "dev_metric": "bleu"}]
    assert faults(dev_sentences=0, phases=phases) == [
        "train.dev_sentences: must be at least 1 with train.phases.1.dev_metric 'bleu', got 0"
    ]


@pytest.mark.parametrize(
    ("train", "fault"),
    [
        ({"r_drop_weight": -1}, "train.r_drop_weight: must be at least 0.0, got -1"),
        ({"scheduled_sampling": {"decay": "never"}},
         "train.scheduled_sampling.decay: must be one of 'none', 'linear' or 'inverse_sigmoid', got 'never'"),
        ({"scheduled_sampling": {"decay_steps": 1}}, "train.scheduled_sampling.decay_steps: must be above 1.0, got 1"),
        ({"scheduled_sampling": {"lowest_probability": 2}},
         "train.scheduled_sampling.lowest_probability: must be at most 1.0, got 2"),
        ({"subword_sampling": {"sides": "left"}},
         "train.subword_sampling.sides: must be one of 'none', 'source', 'target' or 'both', got 'left'"),
        ({"subword_sampling": {"alpha": 1.5}}, "train.subword_sampling.alpha: must be at most 1.0, got 1.5"),
        ({"subword_sampling": {"nbest": 1}}, "train.subword_sampling: nbest must be -1 (all segmentations) or at least 2, got 1"),
        ({"subword_sampling": {"nbest": 513}}, "train.subword_sampling.nbest: must be at most 512, got 513"),
    ],
)  # fmt: skip
def test_ways_of_training_are_checked_in_the_flat_settings_and_in_a_phase(train: dict[str, Any], fault: str) -> None:
    assert faults(**train) == [fault]
    phase = {"objective": "likelihood"} | train
    assert faults(phases=[phase]) == [fault.replace("train.", "train.phases.0.", 1)]


def test_a_phase_inherits_single_fields_of_a_section_inside() -> None:
    train = TrainSection.model_validate(
        {
            "scheduled_sampling": {"decay": "linear", "decay_steps": 70},
            "phases": [{"objective": "likelihood", "scheduled_sampling": {"lowest_probability": 0.25}}],
        }
    )
    assert train.phases[0].scheduled_sampling == ScheduledSampling(decay="linear", decay_steps=70, lowest_probability=0.25)


def test_two_passes_with_dropout_need_dropout() -> None:
    fault = "r_drop_weight: must be 0 unless model.dropout is above 0, got 1.5"
    assert faults({"model": {"dropout": 0.0}}, r_drop_weight=1.5) == [f"train.{fault}"]
    phases = [{"objective": "likelihood"}, {"objective": "likelihood", "r_drop_weight": 1.5}]
    assert faults({"model": {"dropout": 0.0}}, phases=phases) == [f"train.phases.1.{fault}"]


@pytest.mark.parametrize(
    ("tokenize", "sides", "fault"),
    [
        ({"source": {"model": "char"}}, "both",
         "source side unless tokenize.source.model is 'unigram' or 'bpe', got it with 'char'"),
        ({"target": {"model": "symbols"}}, "target",
         "target side unless tokenize.target.model is 'unigram' or 'bpe', got it with 'symbols'"),
        ({"joint": True, "source": {"model": "char"}}, "target",
         "target side unless tokenize.source.model is 'unigram' or 'bpe', got it with 'char'"),
    ],
)  # fmt: skip
def test_only_vocabularies_with_a_choice_can_be_sampled_from(tokenize: dict[str, Any], sides: str, fault: str) -> None:
    found = faults({"tokenize": tokenize}, subword_sampling={"sides": sides})
    assert found == [f"train.subword_sampling.sides: must leave out the {fault}"]


def by_reward(objective: str = "minimum_risk", **reinforcement: Any) -> list[dict[str, Any]]:
    """Two phases, the second one by reward."""
    return [{"objective": "likelihood"}, {"objective": objective, "reinforcement": reinforcement}]


@pytest.mark.parametrize(
    ("reinforcement", "fault"),
    [
        ({"num_samples": 0}, "num_samples: must be at least 1, got 0"),
        ({"num_samples": 2000}, "num_samples: must be at most 1024, got 2000"),
        ({"temperature": 0}, "temperature: must be above 0.0, got 0"),
        ({"max_length_ratio": 0.5}, "max_length_ratio: must be at least 1.0, got 0.5"),
        ({"sharpness": 0}, "sharpness: must be above 0.0, got 0"),
        ({"includes_reference": "maybe"}, "includes_reference: must be true or false, got 'maybe'"),
        ({"likelihood_weight": -0.1}, "likelihood_weight: must be at least 0.0, got -0.1"),
    ],
)
def test_every_fault_of_reinforcement_is_named(reinforcement: dict[str, Any], fault: str) -> None:
    assert faults(reinforcement=reinforcement) == [f"train.reinforcement.{fault}"]
    assert faults(phases=by_reward(**reinforcement)) == [f"train.phases.1.reinforcement.{fault}"]


def test_a_single_sample_is_no_risk_to_compare() -> None:
    assert faults(phases=by_reward(num_samples=1)) == [
        "train.phases.1: reinforcement.num_samples must be at least 2 with objective 'minimum_risk' "
        "(or reinforcement.includes_reference true), got 1"
    ]
    for phases in (by_reward(num_samples=1, includes_reference=True), by_reward("self_critical", num_samples=1)):
        assert len(TrainSection.model_validate({"phases": phases}).phases) == 2


@pytest.mark.parametrize("objective", ["minimum_risk", "self_critical"])
def test_rewards_need_a_phase_by_likelihood_before_them(objective: str) -> None:
    fault = f"train.phases: must begin with a phase by 'likelihood' or 'denoising', got '{objective}' first"
    assert faults(phases=by_reward(objective)[::-1]) == [fault]
