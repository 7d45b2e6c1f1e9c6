"""``train``: fits a model on the tokenised corpus and writes its bundle.

The training state ``.s2s/train/<key>`` holds everything until the bundle is written: a killed run that is started again ends in
the same weights. The state of a finished training stays until another training is finished. Until then, the same command with
the same settings, data and code writes the same bundle again without training. This is necessary when a run is killed after it
wrote the bundle but before DVC recorded it. The states of its first phases stay too: a training with other later phases starts
from them. ``--from-scratch`` trains anew.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle import save_bundle
from seq2seq_core.bundle.config_file import INITIAL_BUNDLE
from seq2seq_core.config.settings import Settings
from seq2seq_core.csv_text import format_csv
from seq2seq_core.evaluation.scores import check_installed
from seq2seq_core.recorder import Recorder
from seq2seq_core.training.data.inputs import TrainingInputs, read_inputs
from seq2seq_core.training.distributed.process_group import join_ranks, settings_of_rank
from seq2seq_core.training.distributed.rank_environment import find_rank_place
from seq2seq_core.training.hardware.precision import choose_placement
from seq2seq_core.training.initial.initial_bundle import InitialBundle, find_local_bundle, pin_digest
from seq2seq_core.training.run import FinishedTraining, TrainingRun
from seq2seq_core.training.state.phase_states import PhaseStates
from seq2seq_core.training.state.progress_state import ProgressState, ValidationPoint
from seq2seq_core.training.state.shared_state import SharedPhaseStates, open_store
from seq2seq_core.training.state.stale_states import remove_superseded_states, report_foreign_states
from seq2seq_core.training.trainer_settings import TrainerSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainResult:
    """The result of ``train``.

    Attributes:
        steps: number of updates in all phases.
        epochs: number of full passes over train.
        best_step: the step with the best weights, which are in the bundle.
        best_dev_loss: negative log-likelihood per target token of dev of these weights, in nats.
        best_dev_score: dev metric of these weights (``chrf`` where the metric is the loss); None where no dev sources are decoded.
        parameters: number of weights.
        end: reason for the end of the last phase: ``max_steps``, ``max_epochs`` or ``patience``.
    """

    steps: int
    epochs: int
    best_step: int
    best_dev_loss: float
    best_dev_score: float | None
    parameters: int
    end: str


def run_train(
    settings: Settings,
    paths: Paths,
    recorder: Recorder,
    from_scratch: bool = False,
    initial: InitialBundle | None = None,
) -> TrainResult:
    """Writes ``models/bundle``, ``reports/train.json`` and ``reports/training_curve.csv``; with several ranks, only rank 0 writes.

    Args:
        settings: the sections ``model``, ``train`` and ``runtime``.
        paths: the workspace; reads ``data/tokenized``, keeps the training state in ``.s2s/train``.
        recorder: receives curves and results.
        from_scratch: whether to remove an earlier training state instead of resuming from it.
        initial: the bundle of ``train.initial_weights``; None to look for it, in folders only.

    Raises:
        MissingInput: there is no tokenised corpus.
        UserError: train or dev is empty, the device or the package of a metric is missing, the initial weights are missing or do
            not fit, or the run diverges.
        WorkspaceBusy: another process trains with these settings and data.
        Interrupted: the process was asked to stop; the state is saved.
    """
    check_installed(settings.train.named_metrics())
    inputs = read_inputs(paths.tokenized, settings.train.dev_sentences)
    with join_ranks(settings.runtime) as ranks, ExitStack() as stack:
        initial = ranks.from_first(lambda: initial or find_local_bundle(settings.train, paths))
        runtime = settings_of_rank(settings.runtime, find_rank_place())
        sections = TrainerSettings(settings.model, pin_digest(settings.train, initial), runtime)
        placement = choose_placement(runtime)
        phase_states = PhaseStates.of(paths.training_state, sections.model, sections.train, inputs.digests)
        key = phase_states.whole
        if initial:
            recorder.set_tags(initial.tags)
        store = stack.enter_context(open_store(paths.training_state / key.folder_name, runtime, ranks))
        shared_states = SharedPhaseStates(phase_states, ranks)
        if from_scratch:
            store.clear()
            shared_states.clear()
        if not ranks.rank:
            report_foreign_states(paths.training_state, key)
            for caution in settings.cautions():
                logger.warning("%s", caution)
        training = TrainingRun(inputs, sections, placement, store, recorder, shared_states, initial, ranks).finish()
        result = _summarise(training)
        if ranks.rank:
            return result
        _write_outputs(settings, paths, inputs, training, result, initial)
    remove_superseded_states(paths.training_state, key, phase_states.keys)
    recorder.log_metrics({name: value for name, value in _report(result).items() if isinstance(value, float | int)})
    recorder.log_file(paths.train_report, "reports")
    recorder.log_file(paths.training_curve, "reports")
    return result


def _summarise(training: FinishedTraining) -> TrainResult:
    best = training.state.best
    chosen = next(point for point in training.state.validations if point.step == best.step)
    return TrainResult(
        steps=training.state.step,
        epochs=training.state.full_epochs,
        best_step=best.step,
        best_dev_loss=chosen.dev_loss,
        best_dev_score=chosen.dev_score,
        parameters=sum(parameter.numel() for parameter in training.model.parameters()),
        end=training.end,
    )


def _write_outputs(
    settings: Settings,
    paths: Paths,
    inputs: TrainingInputs,
    training: FinishedTraining,
    result: TrainResult,
    initial: InitialBundle | None,
) -> None:
    """Writes the reports and, last, the bundle."""
    atomic.write_text(paths.train_report, json.dumps(_report(result), indent=1) + "\n")
    atomic.write_text(paths.training_curve, _curve_table(training.state, has_phases=bool(settings.train.phases)))
    save_bundle(
        paths.bundle,
        training.model,
        inputs.bundle_config(settings.model),
        inputs.source_tokenizer,
        inputs.target_model,
        inputs.digests | ({INITIAL_BUNDLE: initial.digest} if initial else {}),
    )


def _report(result: TrainResult) -> Mapping[str, int | float | str | None]:
    """The metrics of ``reports/train.json``."""
    score = result.best_dev_score
    return {
        "steps": result.steps,
        "epochs": result.epochs,
        "end": result.end,
        "parameters": result.parameters,
        "best_step": result.best_step,
        "best_dev_loss": round(result.best_dev_loss, 6),
        **({} if score is None else {"best_dev_score": round(score, 6)}),
    }


def _curve_table(state: ProgressState, has_phases: bool) -> str:
    """The text of ``reports/training_curve.csv``, a row per validation.

    A score is empty where no dev sources are decoded. The column ``phase`` exists only where there are phases.
    """
    names = [name for name in ValidationPoint.model_fields if has_phases or name != "phase"]
    rows = [[getattr(point, name) for name in names] for point in state.validations]
    return format_csv([names, *([None if value is None else f"{value:.6g}" for value in row] for row in rows)])
