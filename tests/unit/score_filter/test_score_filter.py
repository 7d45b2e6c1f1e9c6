"""``prepare.score_filter``: which pairs are dropped, what is counted, what is kept between runs."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.code_digests.stage_digest import digest_stage
from seq2seq_core.config.prepare import ScoreFilter
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.corpus.pairs import iterate_pairs
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import ConfigError, UserError
from seq2seq_core.score_filter import pair_filter
from seq2seq_core.score_filter.scorers import BACKWARD, FORWARD, FoundScorer, Scorer, Scores, combine, find_scorers
from seq2seq_core.serving.loading import FoundModel
from seq2seq_core.stage_table import find_stage
from seq2seq_core.stages.models_of_prepare import digest_outside_inputs
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.tokenization.tags import TagColumns
from tests.training_runs import ListRecorder

COLUMNS = "source\ttarget\tlanguage\n"


class TurningScorer:
    """Believes that a target is its source backwards: 0.1 nats a token if so, else 2."""

    asked: ClassVar[list[str]] = []

    def __init__(self, scorer: FoundScorer, device: str) -> None:
        self.direction = scorer.direction

    def cross_entropy(self, pairs: Sequence[Mapping[str, str]]) -> Scores:
        if self.direction == FORWARD:
            TurningScorer.asked.extend(pair["source"] for pair in pairs)
        return np.array([0.1 if pair["source"] == pair["target"][::-1] else 2.0 for pair in pairs], dtype=np.float32)


@pytest.fixture(scope="module")
def scorer_folder(tmp_path_factory: pytest.TempPathFactory, make_bundle: Callable[..., None]) -> Path:
    """The bundle of a model that reads a tag."""
    paths = Paths(tmp_path_factory.mktemp("scorer"))
    make_bundle(paths, tags=TagColumns(source=("language",)))
    return paths.served


@pytest.fixture
def paths(tmp_path: Path, scorer_folder: Path) -> Paths:
    """A workspace with both models, and train with some pairs that are no translation."""
    paths = Paths(tmp_path)
    for name in (FORWARD, BACKWARD):
        shutil.copytree(scorer_folder, paths.root / "data" / name)
    write(paths, [f"word {number}" for number in range(40)])
    return paths


def write(paths: Paths, words: Sequence[str]) -> None:
    rows = [f"{word}\t{word[::-1] if place % 4 else 'nonsense ' + word}\tde\n" for place, word in enumerate(words)]
    (paths.root / "raw").mkdir(exist_ok=True)
    (paths.root / "raw" / "train.tsv").write_text(COLUMNS + "".join(rows), encoding="utf-8")
    for split in ("dev", "test"):
        (paths.root / "raw" / f"{split}.tsv").write_text(f"{COLUMNS}{split}\tx\tde\n", encoding="utf-8")


def settings_with(corpus: Mapping[str, Any] | None = None, **score_filter: Any) -> Settings:
    files = {split: [f"{split}.tsv"] for split in ("train", "dev", "test")}
    models = {"forward": "data/forward", "backward": "data/backward", "min_score": 0.5}
    sections = {
        "corpus": {"path": "raw", "files": files, **(corpus or {})},
        "prepare": {"score_filter": models | score_filter},
        "register": {"model_name": "student"},
        "runtime": {"device": "cpu", "progress": "plain"},
    }
    return parse_settings(sections, "test")


def test_doubted_pairs_are_dropped_counted_and_shown_and_dev_stays(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_filter, "Scorer", TurningScorer)
    recorder = ListRecorder()
    run_prepare(settings_with(), paths, recorder)
    pairs = list(iterate_pairs(paths.prepared_split("train")))
    assert len(pairs) == 30
    assert all(pair["source"] == pair["target"][::-1] for pair in pairs)
    report = json.loads(paths.prepare_report.read_text())["train"]
    assert (report["rows_in"], report["dropped"]["score_filter"], report["rows_out"]) == (40, 10, 30)
    assert report["target_characters"]["max"] == len("word 39")  # dropped pairs count no more
    shown = [json.loads(line) for line in paths.dropped_rows.read_text().splitlines()]
    assert {line["rule"] for line in shown if "rule" in line} == {"score_filter"}
    assert len(list(iterate_pairs(paths.prepared_split("dev")))) == 1
    assert recorder.tags["score_filter_backward"] == "data/backward"


def test_appended_rows_cost_their_own_scores_and_the_best_share_stays(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_filter, "Scorer", TurningScorer)
    monkeypatch.setattr(pair_filter, "SCORED_LINES", 8)
    TurningScorer.asked.clear()
    run_prepare(settings_with(), paths, ListRecorder())
    assert len(TurningScorer.asked) == 40
    write(paths, [f"word {number}" for number in range(44)])
    TurningScorer.asked.clear()
    run_prepare(settings_with(min_score=0.0, keep_fraction=0.5), paths, ListRecorder())
    assert TurningScorer.asked == [f"word {number}" for number in range(40, 44)]
    kept = paths.prepared_split("train").read_bytes()
    assert all(pair["source"] == pair["target"][::-1] for pair in iterate_pairs(paths.prepared_split("train")))
    TurningScorer.asked.clear()
    monkeypatch.setattr(pair_filter, "digest_reached_code", lambda *_: {"other": "code"})
    run_prepare(settings_with(min_score=0.0, keep_fraction=0.5), paths, ListRecorder())
    assert len(TurningScorer.asked) == 44
    assert paths.prepared_split("train").read_bytes() == kept


def test_a_share_of_few_pairs_is_at_least_one() -> None:
    scores = np.array([0.1, 0.4, 0.2], dtype=np.float32)
    for share, least in ((0.1, 0.4), (0.5, 0.2), (0.99, 0.0)):
        section = ScoreFilter(forward="a", backward="b", keep_fraction=share)
        assert pair_filter._bound(scores, section) == pytest.approx(least)


def test_a_model_scores_one_direction_by_the_columns_of_the_pairs(scorer_folder: Path) -> None:
    pairs = [{"source": "ab", "target": "ba", "language": "de"}, {"source": "", "target": "ba", "language": "de"}]
    found = FoundModel(scorer_folder, "x", bundle_digest(scorer_folder))
    forward, backward = (Scorer(FoundScorer(name, found, "x"), "cpu").cross_entropy(pairs) for name in (FORWARD, BACKWARD))
    predictor = Predictor.from_folder(scorer_folder)
    (own,) = predictor.score(["ab"], ["ba"], tags=[pairs[0]])
    (other,) = predictor.score(["ba"], ["ab"], tags=[pairs[0]])
    assert forward[0] == pytest.approx(-own.log_probability / own.num_tokens)
    assert backward[0] == pytest.approx(-other.log_probability / other.num_tokens)
    assert math.isinf(forward[1])
    with pytest.raises(UserError, match=r"prepare\.score_filter\.forward: x: "):
        Scorer(FoundScorer(FORWARD, found, "x"), "cpu").cross_entropy([{"source": "ab", "target": "ba"}])


def test_both_models_must_believe_in_a_pair_and_about_equally() -> None:
    forward = np.array([1.0, 1.0, 0.0, np.inf, 5.0], dtype=np.float32)
    backward = np.array([1.0, 3.0, 0.0, np.inf, np.inf], dtype=np.float32)
    expected = [math.exp(-1), math.exp(-(2 + 2)), 1.0, 0.0, 0.0]
    assert combine(forward, backward).tolist() == pytest.approx(expected)


def test_the_models_are_inputs_of_the_stage(paths: Paths) -> None:
    settings = settings_with()
    digest = bundle_digest(paths.root / "data" / "forward")
    assert digest_outside_inputs(settings, paths) == {"score_filter.forward": digest, "score_filter.backward": digest}
    assert digest_outside_inputs(settings_with(forward_digest="a" * 64), paths)["score_filter.forward"] == "a" * 64
    code = digest_stage(find_stage("prepare"), settings)["code"]
    assert "seq2seq_core.score_filter.scorers" in code  # type: ignore[operator]
    with pytest.raises(UserError, match=r"prepare\.score_filter\.backward_digest: data/backward has the digest"):
        assert settings.prepare.score_filter is not None
        find_scorers(settings.prepare.score_filter.model_copy(update={"backward_digest": "a" * 64}), paths)


@pytest.mark.parametrize(
    ("corpus", "score_filter", "message"),
    [
        ({}, {"min_score": 0.0}, "min_score must be above 0, or keep_fraction below 1, else no pair is dropped"),
        ({}, {"forward": "models:/student@champion"}, "prepare.score_filter.forward: must be a version such as models:/student/3"),
        ({"both_directions": True}, {}, "prepare.score_filter: must be left out with corpus.both_directions"),
    ],
)
def test_settings_that_cannot_work_are_refused(corpus: Mapping[str, Any], score_filter: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_with(corpus, **score_filter)
    assert message in str(caught.value)
