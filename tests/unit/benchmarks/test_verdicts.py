from __future__ import annotations

from collections.abc import Sequence

import pytest

from benchmarks.measured.gains import OF_NAMES, OF_TRANSLATIONS, Metrics, gain_row
from benchmarks.measured.row import Judgement
from benchmarks.measured.rows import ROWS
from benchmarks.measured.systems import Outcome, System

BY_NAME = {row.name: row for row in ROWS}
SYSTEMS = [System(name, "some.yaml", "some") for name in ("before", "after", "continued")]
RIGHT = [f"a b c {letter} e f g h" for letter in "ijklmnopqr" * 4]
WRONG = [name.replace("b", "z") for name in RIGHT]
LACKING = [name[2:] for name in RIGHT]


def outcome(hypotheses: Sequence[str], references: Sequence[str] = RIGHT, languages: Sequence[str] = ()) -> Outcome:
    return Outcome(
        sources=list(references), references=list(references), hypotheses=list(hypotheses), nbest=[[one] for one in hypotheses],
        languages=list(languages), seconds=1.0, parameters=1,
    )  # fmt: skip


def judge_gain(metrics: Metrics, before: Sequence[str], after: Sequence[str]) -> Judgement:
    outcomes = {"before": outcome(before), "after": outcome(after), "continued": outcome(before)}
    return gain_row("a", "b", SYSTEMS, "%", metrics).judge(outcomes)


@pytest.mark.parametrize("metrics", [OF_NAMES, OF_TRANSLATIONS])
def test_a_clear_gain_by_rewards_is_one_and_neither_a_loss_nor_chance_is(metrics: Metrics) -> None:
    better = judge_gain(metrics, WRONG, RIGHT)
    assert better.is_met
    assert better.figure.low > 0
    assert "rewarded, after as many updates by likelihood instead +0.000 (p = 1.0000)" in better.details
    assert not judge_gain(metrics, RIGHT, WRONG).is_met
    assert not judge_gain(metrics, WRONG, WRONG).is_met
    assert not judge_gain(metrics, [*RIGHT[:-1], WRONG[-1]], RIGHT).is_met  # one sentence of forty may be chance


def test_a_gain_that_another_metric_pays_for_is_none() -> None:
    before = RIGHT[:20] + ["z z z z z z z z"] * 20
    after = [name.replace("b", "z") for name in RIGHT]  # 7 of 8 letters right everywhere, and no name
    judgement = judge_gain(OF_NAMES, before, after)
    assert judgement.figure.low > 0
    assert judgement.details[1].startswith("exact match -50.000")
    assert not judgement.is_met


@pytest.mark.parametrize(("num_wrong", "is_met"), [(0, True), (20, False)])
def test_two_languages_in_one_model_may_lose_little_in_each(num_wrong: int, is_met: bool) -> None:
    both = [*RIGHT, *WRONG[:num_wrong], *RIGHT[num_wrong:]]
    outcomes = {
        "eutrans-es-en": outcome(RIGHT),
        "multi30k-rnn": outcome(RIGHT),
        "two-languages": outcome(both, RIGHT * 2, ["en"] * len(RIGHT) + ["de"] * len(RIGHT)),
    }
    judgement = BY_NAME["two-languages"].judge(outcomes)
    assert judgement.is_met is is_met
    assert judgement.details[0] == "eutrans-es-en: 100.00 alone, 100.00 in the model of both"
    assert (judgement.figure.value > 1) is not is_met


def test_sentences_without_translations_have_to_bring_more_than_chance() -> None:
    row = BY_NAME["semi-supervised"]
    assert row.judge({"few-pairs": outcome(WRONG), "semi-supervised": outcome(RIGHT)}).is_met
    assert not row.judge({"few-pairs": outcome(RIGHT), "semi-supervised": outcome(RIGHT)}).is_met
    assert not row.judge({"few-pairs": outcome(RIGHT), "semi-supervised": outcome(LACKING)}).is_met


def test_names_need_both_accuracies() -> None:
    one = outcome(WRONG)
    system = BY_NAME["translit"].systems[0].name
    among_three = [[wrong, right] for wrong, right in zip(WRONG, RIGHT, strict=True)]
    assert BY_NAME["translit"].judge({system: outcome(RIGHT)}).is_met
    assert not BY_NAME["translit"].judge({system: Outcome(**{**vars(one), "nbest": among_three})}).is_met


@pytest.mark.parametrize(("share_right", "is_met"), [(0.05, False), (0.2, True), (0.9, False)])
def test_a_leak_on_the_length_split_is_no_success(share_right: float, is_met: bool) -> None:
    number = int(share_right * len(RIGHT))
    judgement = BY_NAME["scan-length"].judge({"scan-length": outcome([*RIGHT[:number], *WRONG[number:]])})
    assert judgement.is_met is is_met
