"""``s2s ablate``: trains small models with and without rules of ``prepare``, and compares them on the same dev pairs.

Not a stage of the graph: no stage reads its output. Each variant is a workspace of its own under ``.s2s/ablation``. The outputs of
each model are kept: the same command goes on after an interruption, and a further rule costs only its own trainings.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from seq2seq_core import atomic
from seq2seq_core.ablation.rule_choice import RuleChange, rules_that_drop
from seq2seq_core.ablation.rule_effect import RuleEffect, measure_effects
from seq2seq_core.ablation.small_settings import small_values, variant_settings
from seq2seq_core.artifacts import SPLITS, Paths
from seq2seq_core.code_digests.stage_digest import digest_stage
from seq2seq_core.config.settings import Settings, load_settings, load_values
from seq2seq_core.corpus.pairs import SOURCE, TARGET, iterate_pairs
from seq2seq_core.corpus.reading import SplitReader
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import UserError
from seq2seq_core.evaluation.scoring_options import scoring_options
from seq2seq_core.gate.scored_rows import ScoredRows, score_rows
from seq2seq_core.recorder import NullRecorder, Recorder
from seq2seq_core.reproducibility import digest
from seq2seq_core.stage_table import find_stage
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train
from seq2seq_core.training.state.folder_lock import lock_folder

logger = logging.getLogger(__name__)

PRESENT = "as it is"
STAGES = ("prepare", "tokenize", "train")
FEWEST_SEEDS, MOST_DEV_PAIRS = 2, 2000


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
        UserError: a setting does not fit, or there are too few trainings.
    """
    if request.seeds < FEWEST_SEEDS:
        raise UserError(f"--seeds: must be at least {FEWEST_SEEDS}, so that the chance of trainings is known; got {request.seeds}")
    values, overrides = _small_values(paths, request), dict(request.overrides or {})
    variant_settings(values, overrides, PRESENT)
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
        WorkspaceBusy: another process runs the same comparison.
        Interrupted: the process was asked to stop; what is trained stays.
    """
    settings = load_settings(paths.params)
    check_request(paths, request)
    values, overrides = _small_values(paths, request), dict(request.overrides or {})
    corpus = {split: SplitReader(settings.corpus, paths.root, split).digest() for split in SPLITS}
    present = _Variant.of(PRESENT, values, overrides, paths, corpus)
    with lock_folder(paths.ablation):
        present.prepare(present)
        dropped: dict[str, int] = json.loads(present.paths.prepare_report.read_text(encoding="utf-8"))["train"]["dropped"]
        changes = list(request.changes) or rules_that_drop(settings.prepare, dropped)
        silent = [name for name in settings.prepare.rules_in_use() if not dropped.get(name)]
        if not changes:
            raise UserError(f"no rule of prepare drops a row of train ({', '.join(silent)}); NAME=VALUE tries another value")
        variants = [
            _Variant.of(change.title, values, {**overrides, f"prepare.{change.name}": change.value}, paths, corpus)
            for change in changes
        ]
        for variant in variants:
            variant.prepare(present)
        outputs, total = dict[str, list[list[str]]](), (1 + len(variants)) * request.seeds
        for variant in (present, *variants):
            outputs[variant.title] = []
            for seed in range(request.seeds):
                done = sum(map(len, outputs.values())) + 1
                logger.info("training %d of %d: %s, seed %d", done, total, variant.title, variant.seed + seed)
                outputs[variant.title].append(variant.outputs(seed, present))
        result = _compare(settings, present, variants, outputs, silent)
    _record(result, recorder)
    return result


@dataclass(frozen=True)
class _Variant:
    """The settings that some models are trained with.

    Attributes:
        title: for people.
        settings: of the trainings, but for their seed.
        paths: its workspace.
    """

    title: str
    settings: Settings
    paths: Paths

    @classmethod
    def of(
        cls, title: str, values: Mapping[str, Any], changes: Mapping[str, Any], workspace: Paths, corpus: Mapping[str, str]
    ) -> _Variant:
        settings = variant_settings(values, changes, title)
        runtime = settings.runtime.model_copy(update={"incremental": False})  # each variant is prepared once
        settings = settings.model_copy(update={"runtime": runtime})
        key = digest({"corpus": dict(corpus), **{stage: digest_stage(find_stage(stage), settings) for stage in STAGES}})
        return cls(title, settings, Paths(workspace.ablation / key[:16]))

    @property
    def seed(self) -> int:
        """The seed of its first training."""
        return self.settings.train.seed

    @property
    def dev(self) -> Path:
        """The dev pairs that its settings keep."""
        return self.paths.root / "dev.jsonl"

    def prepare(self, present: _Variant) -> None:
        """Prepares and tokenises the corpus, unless that is done.

        Args:
            present: the variant whose dev pairs choose the best weights of every training.
        """
        if not self.dev.is_file():
            run_prepare(self.settings, self.paths, NullRecorder())
            with atomic.new_file(self.dev) as file:
                shutil.copyfile(self.paths.prepared_split("dev"), file)
        if not self.paths.tokenize_report.is_file():
            shutil.copyfile(present.dev, self.paths.prepared_split("dev"))
            run_tokenize(self.settings, self.paths, NullRecorder())

    def outputs(self, number: int, present: _Variant) -> list[str]:
        """The dev outputs of one training, which is run unless its outputs are there.

        Args:
            number: of the training, from 0.
            present: the variant whose dev pairs are decoded.
        """
        file = self.paths.root / f"outputs-{number}.json"
        if not file.is_file():
            train = self.settings.train.model_copy(update={"seed": self.seed + number})
            run_train(self.settings.model_copy(update={"train": train}), self.paths, NullRecorder())
            predictor = Predictor.from_folder(self.paths.bundle, self.settings.runtime.device)
            pairs = read_dev(present.dev)
            options = predictor.options.override(beam_size=1)
            found = predictor.predict([pair[SOURCE] for pair in pairs], options, tags=pairs)
            atomic.write_text(file, json.dumps([one.text for one in found], ensure_ascii=False))
        outputs: list[str] = json.loads(file.read_text(encoding="utf-8"))
        return outputs

    @property
    def train_pairs(self) -> int:
        """The pairs of its train."""
        report = json.loads(self.paths.prepare_report.read_text(encoding="utf-8"))
        return int(report["train"]["rows_out"])


def read_dev(path: Path) -> list[dict[str, str]]:
    """The dev pairs by which every model is judged: the first ones.

    Args:
        path: the prepared dev pairs.
    """
    return list(islice(iterate_pairs(path), MOST_DEV_PAIRS))


def _compare(
    settings: Settings, present: _Variant, variants: Sequence[_Variant], outputs: Mapping[str, list[list[str]]], silent: list[str]
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
