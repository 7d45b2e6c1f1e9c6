"""A confidence is the same through every engine and in every batch."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from seq2seq_core.bundle.bundle import Bundle, load_bundle
from seq2seq_core.bundle.stored_calibrator import StoredCalibrator
from seq2seq_core.decoding.engines.ctranslate2_engine import CTranslate2Engine
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import UserError
from seq2seq_core.evaluation.confidence.calibrator_fit import fit_calibrator
from tests.unit.decoding.engines.conftest import TAG, random_words

WORDS = [*random_words(120, 9), ""]
TAGS = [{TAG: ("plain", "other")[place % 2]} for place in range(len(WORDS))]


@pytest.fixture(scope="module")
def bundle(served_folder: Path) -> Bundle:
    """A bundle with a calibrator of the event that a word is written backwards."""
    bare = load_bundle(served_folder)
    answers = [one.hypotheses[0] for one in Predictor(bare).predict(WORDS, tags=TAGS)]
    calibrator = fit_calibrator(answers, [word[::-1] for word in WORDS], "exact_match", 60.0)
    assert calibrator is not None
    assert 10 < calibrator.right < 110
    return replace(bare, calibrator=calibrator)


@pytest.fixture(scope="module")
def predictor(bundle: Bundle) -> Predictor:
    found = Predictor(bundle)
    assert isinstance(found.engine, CTranslate2Engine)
    return found


@pytest.mark.parametrize("beam_size", [1, 5])
def test_engines_and_batches_state_the_same_confidence(bundle: Bundle, predictor: Predictor, beam_size: int) -> None:
    options = predictor.options.override(beam_size=beam_size)
    found = predictor.predict(WORDS, options, tags=TAGS)
    confidences = [one.confidence for one in found]
    assert confidences[-1] is None, "nothing decodes a source without text"
    known = [one for one in confidences if one is not None]
    assert len(known) == len(WORDS) - 1
    assert all(0.0 < one < 1.0 for one in known)
    assert max(known) - min(known) > 0.3
    for others in (
        Predictor(bundle, uses_engine=False).predict(WORDS, options, tags=TAGS),
        predictor.predict(WORDS, options, batch_sentences=1, tags=TAGS),
        predictor.predict(WORDS[::-1], options, batch_sentences=7, tags=TAGS[::-1])[::-1],
    ):
        # Of equal texts: CTranslate2 may end a search sooner (docs/adr/0025-engines.md).
        same = [place for place, one in enumerate(found[:-1]) if one.text == others[place].text]
        assert len(same) >= 0.95 * len(known)
        assert [others[place].confidence for place in same] == pytest.approx([known[place] for place in same], abs=1e-4)


def test_only_the_best_hypothesis_of_a_beam_has_a_confidence(predictor: Predictor) -> None:
    best, second = predictor.predict(WORDS[0], predictor.options.override(num_hypotheses=2), tags=TAGS[0]).hypotheses
    assert (best.confidence is None, second.confidence) == (False, None)
    drawn = predictor.predict(WORDS[0], predictor.options.override(method="sampling"), tags=TAGS[0])
    assert (drawn.confidence, drawn.abstained) == (None, False)


def test_answers_below_the_threshold_are_withheld_and_no_others(predictor: Predictor) -> None:
    for count in (1, 2):
        options = predictor.options.override(num_hypotheses=count)
        free = predictor.predict(WORDS, options, tags=TAGS)
        middle = sorted(one.confidence or 0.0 for one in free)[40:80]
        gap, low = max((after - before, before) for before, after in pairwise(middle))
        threshold = low + gap / 2
        found = predictor.predict(WORDS, options.override(min_confidence=threshold), tags=TAGS)
        assert 30 < sum(one.abstained for one in found) < 100
        assert [one.abstained for one in found] == [one.confidence is None or one.confidence < threshold for one in free]
        for before, after in zip(free, found, strict=True):
            assert after.text == ("" if after.abstained else before.text)
            assert len(after.hypotheses) == (1 if after.abstained else count)


def test_a_bundle_without_a_calibrator_states_none_and_refuses_a_threshold(served_folder: Path) -> None:
    bare = Predictor(load_bundle(served_folder))
    assert bare.predict(WORDS[0], tags=TAGS[0]).confidence is None
    with pytest.raises(UserError) as caught:
        bare.predict(WORDS[:1], bare.options.override(min_confidence=0.5), tags=TAGS[:1])
    assert str(caught.value) == (
        "min_confidence: must be 0 with this model, which has no calibrator (it was exported without evaluate.confidence_event, "
        "with too few right or wrong answers on dev, or by an older release), got 0.5"
    )


def test_a_calibrator_of_large_weights_overflows_nowhere(bundle: Bundle) -> None:
    assert bundle.calibrator is not None
    for sign in (1.0, -1.0):
        weights = dict.fromkeys(bundle.calibrator.weights, sign * 1000000.0)
        steep = StoredCalibrator.model_validate(bundle.calibrator.model_dump() | {"weights": weights})
        found = Predictor(replace(bundle, calibrator=steep)).predict(WORDS[0], tags=TAGS[0]).confidence
        assert found is not None
        assert 0.0 < found < 1.0
