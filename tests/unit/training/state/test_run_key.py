from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.train import TrainSection
from seq2seq_core.reproducibility import code_digest, derive_seed
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
    monkeypatch.setattr(run_key, "_CODE", ("training",))
    after = make_key()
    assert after.folder_name != before.folder_name
    assert after.is_same_task(before.folder_name)


def test_comments_layout_and_docstrings_do_not_count_as_code(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('"""One."""\n\ndef f(x):\n    """Two."""\n    return x + 1  # three\n')
    before = code_digest([tmp_path])
    (tmp_path / "a.py").write_text('"""Other."""\ndef f( x ):\n\n    return (x + 1)\n')
    assert code_digest([tmp_path]) == before
    assert code_digest([tmp_path / "a.py"]) == before
    (tmp_path / "a.py").write_text("def f(x):\n    return x + 2\n")
    assert code_digest([tmp_path]) != before


def test_seeds_differ_by_every_part_and_stay_for_ever() -> None:
    assert derive_seed(1, "weights") == derive_seed(1, "weights") == 4602185360624954095
    places = product((1, 2), ("update", "noise"), (0, 1), (0, 1))
    seeds = {derive_seed(*place) for place in places}
    assert len(seeds) == 16
    assert all(0 <= seed < 2**63 for seed in seeds)
