"""``s2s ablate``: trains small models with and without rules of ``prepare``, and compares them on the same dev pairs.

Not a stage of the graph: no stage reads its output. Each variant is a workspace of its own under ``.s2s/ablation``. The outputs of
each model are kept: the same command goes on after an interruption, and a further rule costs only its own trainings.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seq2seq_core.ablation.rule_choice import RuleChange, rules_that_drop
from seq2seq_core.ablation.rule_effect import RuleEffect, measure_effects
from seq2seq_core.ablation.small_settings import small_values, variant_settings
from seq2seq_core.ablation.trained_variant import Variant, read_dev, remove_other_corpora
from seq2seq_core.artifacts import SPLITS, Paths
from seq2seq_core.config.settings import Settings, load_settings, load_values
from seq2seq_core.corpus.pairs import SOURCE, TARGET, iterate_pairs
from seq2seq_core.corpus.reading import SplitReader
from seq2seq_core.errors import UserError
from seq2seq_core.evaluation.scoring_options import scoring_options
from seq2seq_core.gate.scored_rows import ScoredRows, score_rows
from seq2seq_core.recorder import Recorder
from seq2seq_core.training.state.folder_lock import lock_folder

logger = logging.getLogger(__name__)

PRESENT = "as it is"
FEWEST_SEEDS = 2


@dataclass(frozen=True)
class AblationRequest:
    """What is to be compared.

    Attributes:
        changes: the variants; empty: every rule that is on and dropped a row of train, each left out.
        seeds: trainings of each variant.
        max_steps: most updates of each training.
        overrides: further settings of every training, by dotted names.
    """

    changes: Sequence[RuleChange]
    seeds: int = 3
    max_steps: int = 1000
    overrides: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Ablation:
    """The result.

    Attributes:
        metric: the metric of the scores: ``register.metric``.
        dev_pairs: the pairs by which every model is judged: those of dev that no variant drops.
        seeds: trainings of each variant.
        train_pairs: pairs of train by variant; the present settings are ``as it is``.
        effects: of the variants.
        silent: rules that are on and dropped no row of train, so that nothing was trained without them.
    """

    metric: str
    dev_pairs: int
    seeds: int
    train_pairs: dict[str, int]
    effects: list[RuleEffect]
    silent: list[str]


def check_request(paths: Paths, request: AblationRequest) -> None:
    """Checks what is asked for, before anything is done.

    Args:
        paths: the workspace; reads ``params.yaml``.
        request: what is to be compared.

    Raises:
        UserError: a setting does not fit, targets are recordings, or there are too few trainings.
    """
    if request.seeds < FEWEST_SEEDS:
        raise UserError(f"--seeds: must be at least {FEWEST_SEEDS}, so that the chance of trainings is known; got {request.seeds}")
    values, overrides = _small_values(paths, request), dict(request.overrides or {})
    if variant_settings(values, overrides, PRESENT).corpus.target_kind == "audio":
        raise UserError("corpus.target_kind: must be 'text' for a comparison, which decodes dev to text; got 'audio'")
    for change in request.changes:
        variant_settings(values, {**overrides, f"prepare.{change.name}": change.value}, change.title)


def _small_values(paths: Paths, request: AblationRequest) -> dict[str, Any]:
    return small_values(load_values(paths.params), load_settings(paths.params), paths.root, request.max_steps)


def run_ablation(paths: Paths, recorder: Recorder, request: AblationRequest) -> Ablation:
    """Trains what is not trained yet, and compares.

    Args:
        paths: the workspace; reads ``params.yaml`` and the raw corpus, writes ``.s2s/ablation``.
        recorder: receives the table, and the scores of each variant.
        request: what is to be compared.

    Raises:
        UserError: nothing can be compared, a setting does not fit, or a stage says why it cannot run.
        WorkspaceBusy: another process compares in this workspace.
        Interrupted: the process was asked to stop; what is trained stays.
    """
    settings = load_settings(paths.params)
    check_request(paths, request)
    values, overrides = _small_values(paths, request), dict(request.overrides or {})
    corpus = {split: SplitReader(settings.corpus, paths.root, split).digest() for split in SPLITS}
    present = Variant.of(PRESENT, values, overrides, paths, corpus)
    with lock_folder(paths.ablation, "comparison"):
        present.prepare()
        remove_other_corpora(paths, corpus)
        dropped = present.dropped
        changes = list(request.changes) or rules_that_drop(settings.prepare, dropped)
        silent = [name for name in settings.prepare.rules_in_use() if not dropped.get(name)]
        if not changes:
            raise UserError(f"no rule of prepare drops a row of train ({', '.join(silent)}); NAME=VALUE tries another value")
        variants = [
            Variant.of(change.title, values, {**overrides, f"prepare.{change.name}": change.value}, paths, corpus)
            for change in changes
        ]
        for variant in variants:
            variant.prepare()
        outputs, total = dict[str, list[list[str]]](), (1 + len(variants)) * request.seeds
        for variant in (present, *variants):
            variant.tokenize(present.dev)
            outputs[variant.title] = []
            for seed in range(request.seeds):
                done = sum(map(len, outputs.values())) + 1
                logger.info("training %d of %d: %s, seed %d", done, total, variant.title, variant.seed + seed)
                outputs[variant.title].append(variant.outputs(seed, present.dev))
        result = _compare(settings, present, variants, outputs, silent)
    _record(result, recorder)
    return result


def _compare(
    settings: Settings, present: Variant, variants: Sequence[Variant], outputs: Mapping[str, list[list[str]]], silent: list[str]
) -> Ablation:
    pairs = read_dev(present.dev)
    kept = [{(pair[SOURCE], pair[TARGET]) for pair in iterate_pairs(variant.dev)} for variant in variants]
    places = [place for place, pair in enumerate(pairs) if all((pair[SOURCE], pair[TARGET]) in one for one in kept)]
    if not places:
        raise UserError("no dev pair is kept by all of these settings, so nothing can be compared")
    references = [pairs[place][TARGET] for place in places]
    metric, options = settings.register_.metric, scoring_options(settings.evaluate)
    rows: dict[str, list[ScoredRows]] = {
        title: [score_rows(metric, [texts[place] for place in places], references, options) for texts in found]
        for title, found in outputs.items()
    }
    effects = measure_effects(rows.pop(PRESENT), rows)
    train_pairs = {variant.title: variant.train_pairs for variant in (present, *variants)}
    return Ablation(metric, len(references), len(outputs[PRESENT]), train_pairs, effects, silent)


def _record(result: Ablation, recorder: Recorder) -> None:
    recorder.log_metrics({"dev_pairs": result.dev_pairs, f"present.{result.metric}": result.effects[0].present})
    recorder.log_text(describe_ablation(result), "ablation.txt")


def describe_ablation(result: Ablation) -> str:
    """The result as a table.

    Args:
        result: of :func:`run_ablation`.
    """
    header = ("settings of prepare", "train pairs", result.metric, "gain of the present ones", "95 % interval", "p", "")
    first = (PRESENT, f"{result.train_pairs[PRESENT]:,}", f"{result.effects[0].present:.4g}", "", "", "", "")
    rows = [header, first]
    for effect in result.effects:
        interval = f"{effect.low:+.3g} to {effect.high:+.3g}"
        figures = (f"{result.train_pairs[effect.title]:,}", f"{effect.variant:.4g}", f"{effect.gain:+.3g}", interval)
        rows.append((effect.title, *figures, f"{effect.adjusted_p:.2g}", effect.verdict))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.append(
        f"{result.seeds} trainings each, judged by the {result.dev_pairs:,} dev pairs that all of these settings keep; p is "
        f"adjusted for {len(result.effects)} comparisons"
    )
    if result.silent:
        lines.append(f"drops no row of train: {', '.join(result.silent)}")
    return "\n".join(lines) + "\n"
