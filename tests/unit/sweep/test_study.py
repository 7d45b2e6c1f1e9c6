from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.sweep_file import PruningMethod
from seq2seq_core.errors import UserError
from seq2seq_core.sweep.drive import SweepRequest
from seq2seq_core.sweep.results import read_results
from seq2seq_core.sweep.space import open_space
from seq2seq_core.sweep.study import JOURNAL_FILE, SweepStudy, SweepTrial

Open = Callable[..., SweepStudy]


@pytest.fixture
def open_study(ask: Callable[..., SweepRequest], paths: Paths) -> Open:
    def open_it(identity: object = "same", folder: str = "study", **fields: Any) -> SweepStudy:
        space = open_space(ask(**fields).load(), paths.params, "toy.yaml")
        return SweepStudy(paths.sweeps / folder, space, {"data": identity})

    return open_it


def value_of(values: dict[str, Any]) -> float:
    return float(abs(values["model.width"] - 24)) + float(values["train.learning_rate"])


def finish(study: SweepStudy, num_trials: int) -> list[dict[str, Any]]:
    """Completes trials, without training, until so many have ended; their values."""
    done: list[dict[str, Any]] = []
    while True:
        with study.claim(num_trials) as trial:
            if trial is None:
                return done
            study.complete(trial, value_of(trial.values), 2)
            done.append(trial.values)


def test_the_first_trial_has_the_current_settings_and_values_stay_within_the_space(open_study: Open) -> None:
    values = finish(open_study(), 8)
    assert values[0] == {"train.learning_rate": 0.003, "model.width": 16}
    assert len(values) == 8
    assert all(0.001 <= one["train.learning_rate"] <= 0.03 and one["model.width"] in (8, 16, 24) for one in values)
    assert len({one["train.learning_rate"] for one in values}) == 8
    without = finish(open_study(folder="other", begin_with_current=False), 2)
    assert without[0]["train.learning_rate"] != 0.003


def test_what_is_drawn_does_not_depend_on_interruptions(open_study: Open) -> None:
    expected = finish(open_study(folder="once"), 6)
    stopped = []
    for number in range(1, 7):  # a process a trial
        stopped += finish(open_study(folder="stopped"), number)
    assert stopped == expected


def test_a_trial_that_nobody_holds_is_continued_before_another_is_begun(open_study: Open) -> None:
    study, other = open_study(), open_study()
    with study.claim(3) as first:
        assert first is not None
        first.report(2, 0.5)
        with other.claim(3) as second:  # as another process would
            assert second is not None
            assert (first.number, second.number) == (0, 1)
    # neither has ended: both processes are gone
    with open_study().claim(3) as again:
        assert again is not None
        assert (again.number, again.values) == (first.number, first.values)
        assert again.reported_steps() == {2}
        with other.claim(3) as next_one:
            assert next_one is not None
            assert (next_one.number, next_one.values) == (second.number, second.values)
            with study.claim(2) as none:
                assert none is None


def test_values_that_had_not_been_drawn_when_the_process_was_killed_are_drawn_when_it_goes_on(open_study: Open) -> None:
    expected = finish(open_study(folder="once", begin_with_current=False), 2)
    study = open_study(folder="killed", begin_with_current=False)
    finish(study, 1)
    with study.claim(2) as trial:
        assert trial is not None
    journal = study.folder / JOURNAL_FILE
    lines = journal.read_text().splitlines(keepends=True)
    last = max(number for number, line in enumerate(lines) if "param_name" in line)
    journal.write_text("".join(lines[:last]))
    with open_study(folder="killed", begin_with_current=False).claim(2) as again:
        assert again is not None
        assert again.values == expected[1]


def test_a_torn_last_line_of_the_journal_is_dropped(open_study: Open) -> None:
    study = open_study()
    finish(study, 2)
    journal = study.folder / JOURNAL_FILE
    with journal.open("a") as file:
        file.write('{"op_code": 4, "worker_id": "x", "stud')
    assert len(finish(open_study(), 3)) == 1
    assert all(json.loads(line) for line in journal.read_text().splitlines())


def test_trials_of_other_data_or_another_space_are_refused(open_study: Open, paths: Paths) -> None:
    finish(open_study(), 1)
    with pytest.raises(UserError) as caught:
        open_study(identity="other")
    assert str(caught.value) == (
        f"{paths.sweeps / 'study'}: the sweep 'toy' was begun with another value of data, and its trials do not compare with "
        "those asked for; expected the same, or another name (--name), or --from-scratch"
    )


def test_the_table_has_completed_trials_from_the_best_on_then_those_given_up_then_failed_ones(open_study: Open) -> None:
    study = open_study()
    ends: list[Callable[[SweepTrial], None]] = [
        lambda trial: study.complete(trial, 0.7, 4),
        lambda trial: study.fail(trial, "it diverged"),
        lambda trial: study.prune(trial, 2),
        lambda trial: study.complete(trial, 0.3, 6),
    ]
    for end in ends:
        with study.claim(4) as trial:
            assert trial is not None
            trial.report(2, 0.9)
            end(trial)
    results = read_results(study, 4)
    assert [(trial.number, trial.state, trial.value, trial.step) for trial in results.trials] == [
        (3, "completed", 0.3, 6), (0, "completed", 0.7, 4), (2, "pruned", 0.9, 2), (1, "failed", None, 0),
    ]  # fmt: skip
    lines = [line.split() for line in results.describe().splitlines()]
    assert lines[0] == ["rank", "trial", "loss", "step", "state", "train.learning_rate", "model.width", "reason"]
    assert lines[2] == ["2", "0", "0.7000", "4", "completed", "0.003", "16"]
    assert lines[4][-2:] == ["it", "diverged"]
    assert results.best.number == 3
    assert results.to_csv().splitlines()[1].startswith("1,3,0.300000,6,completed,")


def test_where_higher_is_better_the_highest_is_the_best(open_study: Open) -> None:
    study = open_study(metric="chrf")
    for value in (30.0, 50.0, 40.0):
        with study.claim(3) as trial:
            assert trial is not None
            study.complete(trial, value, 2)
    assert read_results(study, 3).best.value == 50.0


def test_without_a_completed_trial_there_is_no_best_and_the_reasons_are_said(open_study: Open) -> None:
    study = open_study()
    with study.claim(1) as trial:
        assert trial is not None
        study.fail(trial, "it diverged")
    with pytest.raises(UserError) as caught:
        _ = read_results(study, 1).best
    assert str(caught.value) == "sweep toy: no trial was completed of 1 that ended: it diverged"


def test_what_matters_is_told_once_enough_trials_are_completed(open_study: Open) -> None:
    study = open_study()
    finish(study, 4)
    assert read_results(study, 4).importances == {}
    finish(study, 12)
    importances = read_results(study, 12).importances
    assert set(importances) == {"train.learning_rate", "model.width"}
    assert sum(importances.values()) == pytest.approx(1.0)
    assert "share of the differences: " in read_results(study, 12).describe()


@pytest.mark.parametrize("method", [method for method in get_args(PruningMethod) if method != "none"])
def test_a_bad_trial_is_to_be_given_up_and_a_good_one_is_not(open_study: Open, method: str) -> None:
    study = open_study(pruning={"method": method, "startup_trials": 2, "reduction_factor": 2})
    verdicts = []
    for number in range(12):
        with study.claim(12) as trial:
            assert trial is not None
            bad = number >= 6 and number % 2 == 1
            for step in (2, 4, 6):
                trial.report(step, (9.0 if bad else 1.0 - 0.01 * number) / step)
                if trial.should_be_pruned():
                    study.prune(trial, step)
                    break
            else:
                study.complete(trial, 9.0 if bad else 1.0 - 0.01 * number, 6)
            verdicts.append((bad, study.ended()[-1].state.name))
    assert (True, "PRUNED") in verdicts
    assert (False, "PRUNED") not in verdicts[:1]
    if method == "median":
        assert {state for bad, state in verdicts if bad} == {"PRUNED"}
        assert {state for bad, state in verdicts if not bad} == {"COMPLETE"}


def test_training_states_of_ended_trials_go_but_for_the_best_ones(open_study: Open) -> None:
    study = open_study()
    folders: list[Path] = []
    for value in (0.5, 0.3, 0.4):
        with study.claim(3) as trial:
            assert trial is not None
            folders.append(trial.folder / "task-code")
            folders[-1].mkdir()
            study.complete(trial, value, 2)
    assert [folder.exists() for folder in folders] == [False, True, False]
