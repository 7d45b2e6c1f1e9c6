from __future__ import annotations

from collections.abc import Iterator

import pytest

from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.engines.torch_engine import TorchEngine
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import DecodingStopped

SOURCES = ["3 May 2031", "le 7 mars 2020"]
SEARCHES = [{"beam_size": 1}, {"beam_size": 3}, {"method": "sampling", "beam_size": 1}]


@pytest.mark.parametrize("search", SEARCHES)
def test_decoding_ends_at_the_step_before_which_it_is_told_to(predictor: Predictor, search: dict[str, object]) -> None:
    options = DecodingOptions().override(min_length=20, max_length=30, **search)
    answers: Iterator[bool] = iter([False, False, True])
    with pytest.raises(DecodingStopped):
        predictor.predict(SOURCES, options, stop=lambda: next(answers))
    assert next(answers, None) is None


@pytest.mark.parametrize("search", SEARCHES)
def test_a_stop_that_never_comes_changes_nothing(predictor: Predictor, search: dict[str, object]) -> None:
    options = DecodingOptions().override(max_length=8, **search)
    assert predictor.predict(SOURCES, options, stop=lambda: False) == predictor.predict(SOURCES, options)


def test_the_reference_refuses_no_option(predictor: Predictor) -> None:
    engine = predictor.engine
    assert isinstance(engine, TorchEngine)
    assert engine.label.endswith(" cpu")
    assert engine.why_not(DecodingOptions(method="sampling", selection="mbr"), keep_attention=True) is None
