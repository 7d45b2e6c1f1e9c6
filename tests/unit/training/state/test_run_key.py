from __future__ import annotations

from itertools import product

import pytest

from seq2seq_core.code_digests import reach
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.train import Phase, TrainSection
from seq2seq_core.reproducibility import derive_seed
from seq2seq_core.training.state import run_key
from seq2seq_core.training.state.run_key import RunKey, make_run_key

DATA = {"train.source.values.npy": "aa", "source.model": "bb"}


def make_key(model: ModelSection | None = None, train: TrainSection | None = None, data: dict[str, str] = DATA) -> RunKey:
    return make_run_key(model or ModelSection(), train or TrainSection(), data)


def test_the_same_settings_data_and_code_have_one_key() -> None:
    assert make_key() == make_key(data=dict(reversed(DATA.items())))


def test_any_other_setting_or_data_has_another_key() -> None:
    keys = [make_key(), make_key(ModelSection(width=10)), make_key(train=TrainSection(seed=2)), make_key(data={"train": "cc"})]
    assert len({key.folder_name for key in keys}) == 4
    assert len({key.code for key in keys}) == 1
    assert not keys[0].is_same_task(keys[1].folder_name)


def test_the_initial_bundle_counts_and_not_where_it_is() -> None:
    trains = [
        TrainSection(initial_weights=reference, initial_digest=digest)
        for reference, digest in (("data/base", "0" * 64), ("models:/m/1", "0" * 64), ("data/base", "1" * 64))
    ]
    keys = [make_key(), *(make_key(train=train.first_phases(1)) for train in trains)]
    assert keys[1] == keys[2]
    assert len({key.folder_name for key in keys}) == 3


def test_other_code_has_another_key_of_the_same_task(monkeypatch: pytest.MonkeyPatch) -> None:
    before = make_key()
    monkeypatch.setattr(run_key, "ROOT", "seq2seq_core.training.validation")
    run_key._code_key.cache_clear()
    after = make_key()
    run_key._code_key.cache_clear()
    assert after.folder_name != before.folder_name
    assert after.is_same_task(before.folder_name)


def test_a_switch_that_is_off_and_one_that_does_not_exist_have_the_same_key() -> None:
    key = make_key(ModelSection(time_scaling="none", residual=False), TrainSection(average_last=0))
    assert key == make_key()
    assert key != make_key(ModelSection(time_scaling="gate"))


def test_only_code_that_the_phases_reach_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    by_samples = TrainSection(phases=[Phase(objective="likelihood"), Phase(objective="minimum_risk")])
    before, before_by_samples, before_first = make_key(), make_key(train=by_samples), make_key(train=by_samples.first_phases(1))
    real = reach.digest_reached_code

    def edited(roots: list[str], features: frozenset[str]) -> dict[str, str]:
        digests = real(roots, features)
        return {name: "edited" if name.endswith("objectives.reinforcement") else value for name, value in digests.items()}

    monkeypatch.setattr(run_key, "digest_reached_code", edited)
    run_key._code_key.cache_clear()
    assert (make_key(), make_key(train=by_samples.first_phases(1))) == (before, before_first)
    assert make_key(train=by_samples).code != before_by_samples.code
    run_key._code_key.cache_clear()


def test_seeds_differ_by_every_part_and_stay_for_ever() -> None:
    assert derive_seed(1, "weights") == derive_seed(1, "weights") == 4602185360624954095
    places = product((1, 2), ("update", "noise"), (0, 1), (0, 1))
    seeds = {derive_seed(*place) for place in places}
    assert len(seeds) == 16
    assert all(0 <= seed < 2**63 for seed in seeds)
