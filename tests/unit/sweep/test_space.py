from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import load_settings
from seq2seq_core.errors import ConfigError
from seq2seq_core.sweep.dotted import get_setting, put_setting
from seq2seq_core.sweep.drive import SweepRequest
from seq2seq_core.sweep.space import SearchSpace, open_space

WIDTH = {"model.width": {"low": 8, "high": 24, "step": 8}}


def space_of(request: SweepRequest, paths: Paths) -> SearchSpace:
    return open_space(request.load(), paths.params, "toy.yaml")


def faults_of(request: SweepRequest, paths: Paths) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        space_of(request, paths)
    return caught.value.faults


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("model:\n  width: 8\n  width: 9\n", "not valid YAML: line 3: 'width' must be given once, got it on line 2 too"),
        ("corpus: [", "not valid YAML: line 1, column 10: while parsing a flow node"),
    ],
)
def test_parameters_that_are_no_valid_yaml_are_a_fault_of_theirs(
    ask: Callable[..., SweepRequest], paths: Paths, content: str, fault: str
) -> None:
    paths.params.write_text(content, encoding="utf-8")
    (found,) = faults_of(ask(space=WIDTH), paths)
    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("searched", "fault"),
    [
        ({"low": 1.0}, "must have low and high, or choices, got neither"),
        ({"low": 2.0, "high": 2.0}, "low must be below high, got 2 and 2"),
        ({"low": 0.0, "high": 1.0, "log": True}, "low must be above 0 with log, got 0"),
        ({"low": 0.1, "high": 1.0, "log": True, "step": 0.1}, "step must be left out with log, got 0.1"),
        ({"low": 0.1, "high": 1.0, "step": 2}, "step must be at most high - low, got 2 from 0.1 to 1"),
        ({"choices": [1, 1]}, "choices must differ from one another, got [1, 1]"),
        ({"choices": [1, 2], "low": 1}, "must have either choices or low and high, got both"),
    ],
)
def test_ranges_that_are_none_are_refused(ask: Callable[..., SweepRequest], searched: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ask(space={"train.learning_rate": searched}).load()
    assert caught.value.faults == [f"space.train.learning_rate: {fault}"]


def test_every_fault_of_the_file_is_listed(ask: Callable[..., SweepRequest]) -> None:
    with pytest.raises(ConfigError) as caught:
        ask(trials=0, metric="accuracy", pruning={"method": "some"}, space={}, speed=1).load()
    assert [fault.partition(":")[0] for fault in caught.value.faults] == ["metric", "trials", "pruning.method", "space", "speed"]


def test_settings_that_a_sweep_cannot_search_are_refused_all_at_once(ask: Callable[..., SweepRequest], paths: Paths) -> None:
    space = {"tokenize.source.vocabulary_size": {"low": 10, "high": 20}, "runtime.device": {"choices": ["cpu", "cuda"]}}
    space |= {"train.dev_metric": {"choices": ["loss", "chrf"]}, "train.seed": {"low": 1, "high": 3}}
    space |= {"train.phases.0.dev_bleu_tokenizer": {"choices": ["zh", "char"]}}
    assert faults_of(ask(space=space, settings={"train.seed": 2, "model": 3}), paths) == [
        "settings.model: must be a setting of model or train, such as train.learning_rate",
        "space.tokenize.source.vocabulary_size: must be a setting of model or train: a sweep does not tokenise the corpus anew for "
        "each trial",
        "space.runtime.device: must be a setting of model or train, such as train.learning_rate",
        "space.train.dev_metric: must not be set here; it is what `metric` says",
        "space.train.phases.0.dev_bleu_tokenizer: must be the same for every trial, or their values cannot be compared",
        "space.train.seed: must not be in settings too",
    ]


def test_unknown_settings_and_values_that_a_setting_cannot_have_are_refused(ask: Callable[..., SweepRequest], paths: Paths) -> None:
    space = {
        "train.learnin_rate": {"low": 0.1, "high": 0.2},
        "train.learning_rate": {"low": 0.5, "high": 1.5},
        "model.width": {"low": 8, "high": 20.5},
        "model.attention": {"choices": ["additive", "subtractive"]},
        "model.residual": {"low": 0, "high": 1},
        "train.phases.0.max_steps": {"low": 1, "high": 2},
    }
    assert faults_of(ask(space=space), paths) == [
        "space.train.learnin_rate: must be a known setting, got an unknown name",
        "space.train.learning_rate: must be at most 1.0, got 1.5",
        "space.model.width.high: must be a whole number, got 20.5",
        "space.model.attention: must be one of 'none', 'dot', 'general', 'additive', 'multi_head' or 'location', got 'subtractive'",
        "space.model.residual: must have choices, because it is no number (it is False), got a range",
        "space.train.phases.0.max_steps: must be a known setting, got an unknown name",
    ]
    assert faults_of(ask(space=WIDTH, settings={"train.max_steps": 0, "train.phases.x": 1}), paths) == [
        "settings.train.max_steps: must be at least 1, got 0",
        "settings.train.phases.x: must be a known setting, got an unknown name",
    ]


def test_the_metric_of_a_sweep_is_each_trials_dev_metric_and_says_which_way_is_up(
    ask: Callable[..., SweepRequest], paths: Paths
) -> None:
    by_default, by_chrf = space_of(ask(), paths), space_of(ask(metric="chrf"), paths)
    assert (by_default.metric, by_default.is_higher_better) == ("loss", False)
    assert (by_chrf.metric, by_chrf.is_higher_better) == ("chrf", True)
    assert by_chrf.settings_of({"model.width": 8}).train.dev_metric == "chrf"
    phases = [{"objective": "likelihood"}, {"objective": "self_critical", "dev_metric": "bleu"}]
    assert faults_of(ask(metric="chrf", settings={"train.phases": phases}), paths) == [
        "metric: must be left out or 'bleu', the dev_metric of the last phase, got 'chrf'"
    ]


def test_a_trial_has_its_values_the_sweeps_settings_and_for_the_rest_the_parameters(
    ask: Callable[..., SweepRequest], paths: Paths
) -> None:
    phases = [{"objective": "likelihood"}, {"objective": "likelihood", "max_steps": 3}]
    space = space_of(ask(settings={"train.phases": phases, "train.max_steps": 4}), paths)
    settings = space.settings_of({"train.learning_rate": 0.02, "model.width": 8})
    assert (settings.model.width, settings.model.dropout, settings.train.batch_tokens) == (8, 0.0, 200)
    assert [(phase.max_steps, phase.learning_rate) for phase in settings.train.all_phases()] == [(4, 0.02), (3, 0.02)]


def test_current_values_are_known_where_they_are_within_the_space(ask: Callable[..., SweepRequest], paths: Paths) -> None:
    assert space_of(ask(), paths).current_values() == {"train.learning_rate": 0.003, "model.width": 16}
    assert space_of(ask(space={"model.width": {"low": 18, "high": 24}}), paths).current_values() is None
    assert space_of(ask(space={"model.width": {"low": 10, "high": 22, "step": 4}}), paths).current_values() is None
    betas = {"train.adam_betas": {"choices": [[0.9, 0.98], [0.9, 0.999]]}}
    assert space_of(ask(space=betas), paths).current_values() == {"train.adam_betas": (0.9, 0.98)}


def test_a_setting_is_put_into_sections_that_may_lack_it_and_into_lists() -> None:
    values: dict[str, Any] = {"train": {"phases": [{"max_steps": 1}], "plateau": None}}
    put_setting(values, "train.phases.0.max_steps", 7)
    put_setting(values, "train.plateau.factor", 0.5)
    put_setting(values, "model.width", 8)
    assert values == {"train": {"phases": [{"max_steps": 7}], "plateau": {"factor": 0.5}}, "model": {"width": 8}}
    for name in ("train.phases.1.max_steps", "train.phases.x", "model.width.x"):
        with pytest.raises(KeyError):
            put_setting(values, name, 1)


def test_a_setting_that_there_is_not_cannot_be_got(paths: Paths) -> None:
    settings = load_settings(paths.params)
    assert get_setting(settings, "train.adam_betas.1") == 0.98
    for name in ("train.adam_betas.2", "train.width", "model.width.x"):
        with pytest.raises(KeyError):
            get_setting(settings, name)
