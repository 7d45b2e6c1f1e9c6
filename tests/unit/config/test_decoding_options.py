from __future__ import annotations

import pytest
from pydantic import ValidationError

from seq2seq_core.config.decoding_options import DecodingOptions, OfferedOption, SearchOptions, offered_options
from seq2seq_core.config.evaluate import EvaluateSection
from seq2seq_core.decoding.hypothesis import length_penalty


def test_more_hypotheses_than_the_beam_holds_are_refused() -> None:
    with pytest.raises(ValidationError, match="num_hypotheses must be at most beam_size, got 4 > 3"):
        DecodingOptions(beam_size=3, num_hypotheses=4)


def test_sampling_may_return_more_hypotheses_than_a_beam_would() -> None:
    options = DecodingOptions(method="sampling", beam_size=1, num_hypotheses=4)
    assert options.rows_per_source == options.num_samples == 4
    assert DecodingOptions(beam_size=7).rows_per_source == 7


def test_options_of_sampling_are_refused_where_nothing_is_sampled() -> None:
    for name, value, neutral in (("temperature", 0.5, "1"), ("top_k", 3, "0"), ("top_p", 0.9, "1")):
        with pytest.raises(ValidationError, match=f"{name} must be {neutral} where method is not sampling, got {value}"):
            DecodingOptions.model_validate({name: value})


@pytest.mark.parametrize("option", [one for one in offered_options() if one.offer.needs_sampling], ids=lambda option: option.name)
def test_each_option_that_needs_sampling_is_refused_without_and_taken_with_it(option: OfferedOption) -> None:
    value = option.highest if option.default != option.highest else option.lowest
    with pytest.raises(ValidationError, match=f"{option.name} must be {option.default:g} where method is not sampling"):
        DecodingOptions.model_validate({option.name: value})
    assert getattr(DecodingOptions.model_validate({"method": "sampling", option.name: value}), option.name) == value


def test_minimum_bayes_risk_chooses_among_samples() -> None:
    options = DecodingOptions(method="sampling", selection="mbr", mbr_samples=8)
    assert options.rows_per_source == options.num_samples == 8
    with pytest.raises(ValidationError, match="selection must be score where method is not sampling, got mbr"):
        DecodingOptions(selection="mbr")
    with pytest.raises(ValidationError, match="num_hypotheses must be at most mbr_samples, got 9 > 8"):
        DecodingOptions(method="sampling", selection="mbr", mbr_samples=8, num_hypotheses=9)


def test_a_minimum_length_above_the_maximum_is_refused() -> None:
    with pytest.raises(ValidationError, match="min_length must be at most max_length, got 5 > 4"):
        DecodingOptions(min_length=5, max_length=4)


@pytest.mark.parametrize(
    "values",
    [
        {"min_length": -1},
        {"no_repeat_ngram_size": -1},
        {"beam_size": 0},
        {"max_length": -1},
        {"length_penalty": float("nan")},
        {"beams": 3},
    ],
)
def test_values_out_of_range_and_unknown_names_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DecodingOptions.model_validate(values)


def test_the_length_limit_is_by_ratio_and_offset_unless_it_is_given() -> None:
    assert DecodingOptions(max_length_ratio=1.5, max_length_offset=4).length_limit(7) == 14
    assert DecodingOptions(max_length=3).length_limit(100) == 3
    assert DecodingOptions(max_length_ratio=1.5, max_length_offset=4, min_length=20).length_limit(7) == 20


def test_the_length_penalty_is_that_of_wu_2016() -> None:
    assert length_penalty(1, 0.7) == 1.0
    assert length_penalty(7, 1.0) == 2.0
    assert length_penalty(7, 0.0) == 1.0


NUMBERS = [option for option in offered_options() if option.lowest is not None]


@pytest.mark.parametrize("option", NUMBERS, ids=lambda option: option.name)
def test_the_bounds_of_requests_are_within_those_of_the_class(option: OfferedOption) -> None:
    assert option.lowest is not None
    assert option.highest is not None
    needs_beam = option.name.startswith(("diversity", "min_confidence"))
    others: dict[str, object] = {"method": "beam" if needs_beam else "sampling", "num_hypotheses": 1, "beam_size": 200}
    for bound in (option.lowest, option.highest):
        assert getattr(DecodingOptions.model_validate(others | {option.name: bound}), option.name) == bound
        assert not option.range_fault(bound)
    assert option.range_fault(option.highest + 1) == (
        f"must be from {option.lowest:g} to {option.highest:.10g}, got {option.highest + 1!r}"
    )
    assert option.range_fault(float("nan"))


def test_an_evaluation_may_set_what_a_request_may_ask_for_and_no_more() -> None:
    assert set(SearchOptions.model_fields) <= set(EvaluateSection.model_fields)
    values = {"beam_size": 200, "length_penalty": 0.5, "max_length_ratio": 16.0, "min_length": 3, "no_repeat_ngram_size": 2}
    section = EvaluateSection.model_validate(values)
    assert section.decoding == DecodingOptions.model_validate(values)
    with pytest.raises(ValidationError, match="beam_size must be from 1 to 200, got 201"):
        EvaluateSection(beam_size=201)
    with pytest.raises(ValidationError, match="length_penalty must be from 0 to 10, got 11"):
        EvaluateSection(length_penalty=11)
    with pytest.raises(ValidationError, match="min_length must be at most max_length, got 5 > 4"):
        EvaluateSection(min_length=5, max_length=4)


def test_single_options_are_overridden_and_checked_with_the_others() -> None:
    options = DecodingOptions(beam_size=2, max_length_ratio=16.0)
    assert options.override(beam_size=1) == DecodingOptions(beam_size=1, max_length_ratio=16.0)
    with pytest.raises(ValidationError, match="num_hypotheses must be at most beam_size, got 3 > 2"):
        options.override(num_hypotheses=3)


def test_every_option_that_is_offered_is_explained() -> None:
    assert len(offered_options()) >= 15
    assert all(option.description for option in offered_options())
    flags = [option.flag for option in offered_options() if option.flag]
    assert len(set(flags)) == len(flags)
    assert {"beam-size", "nbest", "max-length-ratio", "seed"} <= set(flags)


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"beam_size": 4, "diversity_groups": 3}, "beam_size must be a multiple of diversity_groups 3, got 4"),
        ({"method": "sampling", "diversity_groups": 2}, "diversity_groups must be 1 where method is sampling, got 2"),
    ],
)
def test_groups_share_a_beam_equally(values: dict[str, object], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        DecodingOptions.model_validate(values)
