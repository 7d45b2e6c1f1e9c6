"""Collects the facts of a card when a version was decided on."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.config_file import WEIGHTS_FILE, read_config
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.pairs import FILE_DIGESTS, RECORDING, SOURCE, TARGET, iterate_pairs
from seq2seq_core.evaluation.scoring_options import scoring_options
from seq2seq_core.gate.bootstrap import Interval
from seq2seq_core.gate.decision import Evidence
from seq2seq_core.gate.policy import Policy, look_ahead
from seq2seq_core.gate.power import assumed_spread, spread_of
from seq2seq_core.gate.scored_rows import score_rows
from seq2seq_core.model_card.answers import read_answers, read_predictions
from seq2seq_core.model_card.facts import (
    Answers,
    CardFacts,
    Coverage,
    Decision,
    Figure,
    Origin,
    Runtime,
    SliceGain,
    WeakPart,
)
from seq2seq_core.model_card.origin import read_origin
from seq2seq_core.model_card.scoreboard import make_scoreboard
from seq2seq_core.model_card.unseen import find_coverage

THIS_VERSION = "this version"
MEGABYTE = 1e6


@dataclass(frozen=True)
class Decided:
    """A version that was decided on.

    Attributes:
        model: name of the registered model.
        version: its number.
        bundle: the folder of its bundle.
        pairs: the rows of the test set.
        test_set: digest of the test set.
        hypotheses: its output for each row.
        scores: its scores, by metric.
        champion: the version that it was compared with; empty: none.
        champion_hypotheses: that version's output for each row; empty: none.
        baselines: the outputs of trivial baselines, by name.
        verdict: ``champion``, ``challenger`` or ``experiment``.
        reason: of the verdict.
        evidence: the gate's.
        policy: the gate's.
        milliseconds: median time of a request; None: not measured.
        lineage: commit, runs and digests, by label.
        inputs: digests of the corpus and of the intermediate files, by name.
    """

    model: str
    version: str
    bundle: Path
    pairs: Sequence[Mapping[str, str]]
    test_set: str
    hypotheses: Sequence[str]
    scores: Mapping[str, float]
    champion: str
    champion_hypotheses: Sequence[str]
    baselines: Mapping[str, Sequence[str]]
    verdict: str
    reason: str
    evidence: Evidence
    policy: Policy
    milliseconds: float | None
    lineage: Mapping[str, str]
    inputs: Mapping[str, str]


def collect_facts(decided: Decided, settings: Settings, paths: Paths, is_own: bool, earlier: CardFacts | None) -> CardFacts:
    """The facts of a version's card.

    Args:
        decided: the version and the decision.
        settings: all sections.
        paths: the workspace; reads its reports and the prepared corpus.
        is_own: whether the workspace trained and evaluated this version; otherwise its reports are about another one.
        earlier: the facts of the version's card until now; None: it has none.
    """
    origin = earlier.origin if earlier else None
    answers = earlier.answers if earlier else None
    predictions: list[str] = []
    if is_own:
        origin, answers = _origin(decided, settings, paths), _answers(decided, settings, paths)
        found = [row.get("greedy") for row in read_predictions(paths)]
        predictions = [text for text in found if isinstance(text, str)]
    systems = {THIS_VERSION: decided.hypotheses}
    if decided.champion:
        systems[f"champion v{decided.champion}"] = decided.champion_hypotheses
    if len(predictions) == len(decided.hypotheses):
        systems["greedy"] = predictions
    systems |= {f"baseline: {name.replace('_', ' ')}": texts for name, texts in decided.baselines.items()}
    references = [pair[TARGET] for pair in decided.pairs]
    metrics = list(dict.fromkeys([settings.register_.metric, *settings.evaluate.metrics]))
    board = make_scoreboard(systems, references, metrics, scoring_options(settings.evaluate), {THIS_VERSION: decided.scores})
    return CardFacts(
        model=decided.model,
        version=decided.version,
        origin=origin,
        answers=answers,
        decision=_decision(decided, board),
        runtime=_runtime(decided, settings),
        lineage=dict(decided.lineage),
    )


def _origin(decided: Decided, settings: Settings, paths: Paths) -> Origin:
    content = read_config(decided.bundle)
    columns = dict.fromkeys([*settings.evaluate.slice_columns, *content.config.tags.all])
    known = {name for pair in decided.pairs for name in pair} - {SOURCE, TARGET, RECORDING, *FILE_DIGESTS}
    coverage: Coverage | None = None
    if paths.prepared_split("train").is_file():
        train = iterate_pairs(paths.prepared_split("train"))
        coverage = find_coverage(train, decided.pairs, [column for column in columns if column in known])
    return read_origin(settings, paths, content, decided.inputs).model_copy(update={"coverage": coverage})


def _answers(decided: Decided, settings: Settings, paths: Paths) -> Answers:
    references = [pair[TARGET] for pair in decided.pairs]
    rows = score_rows(settings.register_.metric, decided.hypotheses, references, scoring_options(settings.evaluate))
    return read_answers(decided.pairs, decided.hypotheses, decided.test_set, rows, paths)


def _decision(decided: Decided, board: dict[str, dict[str, Figure]]) -> Decision:
    evidence, policy, main = decided.evidence, decided.policy, decided.evidence.main
    spread = assumed_spread(policy.metric) if main is None else spread_of([main])
    return Decision(
        verdict=decided.verdict,
        reason=decided.reason,
        metric=policy.metric,
        outcome=evidence.outcome,
        refusals=list(evidence.refusals),
        test_set=decided.test_set,
        rows=evidence.num_rows,
        look=evidence.look,
        looks=evidence.looks,
        level=evidence.level,
        alpha=policy.alpha,
        spent=evidence.spent,
        outlook=look_ahead(policy, evidence.num_rows, evidence.looks + 1, spread).sentence,
        champion=decided.champion,
        gain=None if main is None else _as_figure(main.gain),
        p_better=None if main is None else main.p_better,
        p_worse=None if main is None else main.p_worse,
        differing=None if main is None else main.num_differing,
        method="" if main is None else main.method,
        policy=evidence.policy_digest,
        figures=board,
        slices=[
            SliceGain(
                name=one.name, rows=one.comparison.num_rows, champion=one.comparison.champion.value,
                challenger=one.comparison.challenger.value, p_worse=one.p_worse, p_better=one.p_better,
            )
            for one in evidence.slices
        ],
        weak=[
            WeakPart(name=" and ".join(one.names), rows=one.num_rows, score=one.score, p_value=one.p_value)
            for one in evidence.weak_slices
        ],
    )  # fmt: skip


def _as_figure(interval: Interval) -> Figure:
    return Figure(value=interval.value, low=interval.low, high=interval.high)


def _runtime(decided: Decided, settings: Settings) -> Runtime:
    return Runtime(
        megabytes=sum(file.stat().st_size for file in decided.bundle.iterdir()) / MEGABYTE,
        parameters=count_parameters(decided.bundle),
        milliseconds=decided.milliseconds,
        device=f"device {settings.runtime.device}",
        machine=f"{platform.system()} on {platform.machine()}, {os.cpu_count()} CPUs",
        threads=torch.get_num_threads(),
    )


def count_parameters(bundle: Path) -> int:
    """The number of weights in a bundle; shared ones count once.

    Args:
        bundle: its folder.
    """
    with safe_open(bundle / WEIGHTS_FILE, framework="pt") as file:
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 - it is no mapping
