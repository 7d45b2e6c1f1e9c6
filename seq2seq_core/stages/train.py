"""``train``: fits a model on the tokenised corpus and writes its bundle.

The training state ``.s2s/train/<key>`` holds everything until the bundle is written: a killed run that is started again ends in
the same weights. The state of a finished training stays until another training is finished. Until then, the same command with
the same settings, data and code writes the same bundle again without training. This is necessary when a run is killed after it
wrote the bundle but before DVC recorded it. The states of its first phases stay too: a training with other later phases starts
from them. ``--from-scratch`` trains anew.

An ensemble of seeds is as many trainings, each with its own state: a run that is started again takes the finished members as they
are, and goes on with the one that it was at.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle import save_bundle
from seq2seq_core.bundle.config_file import INITIAL_BUNDLE, JUDGE_BUNDLE
from seq2seq_core.config.named.judge import judges_asked
from seq2seq_core.config.settings import Settings
from seq2seq_core.config.train import TrainSection
from seq2seq_core.csv_text import format_csv
from seq2seq_core.evaluation.scores import check_installed
from seq2seq_core.recorder import Recorder
from seq2seq_core.stages.ensemble_members import Member, MemberRecorder, joined, number_of_models
from seq2seq_core.training.data.inputs import NO_JUDGES, FoundJudge, TrainingInputs, read_inputs
from seq2seq_core.training.distributed.process_group import join_ranks, settings_of_rank
from seq2seq_core.training.distributed.rank_environment import find_rank_place
from seq2seq_core.training.distributed.ranks import Ranks
from seq2seq_core.training.hardware.precision import Placement, choose_placement
from seq2seq_core.training.initial.initial_bundle import InitialBundle, find_local_bundle, pin_digest
from seq2seq_core.training.run import TrainingRun
from seq2seq_core.training.state.checkpoint_store import CheckpointStore
from seq2seq_core.training.state.phase_states import PhaseStates
from seq2seq_core.training.state.progress_state import ProgressState, ValidationPoint
from seq2seq_core.training.state.run_key import RunKey
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
        end: reason for the end of the last phase: ``max_steps``, ``max_epochs`` or ``patience``; of an ensemble all that occur.
        members: of an ensemble of seeds, what each training reached; numbers of updates, epochs and weights above are then sums,
            dev loss and score means, and the best step is that of the first.
    """

    steps: int
    epochs: int
    best_step: int
    best_dev_loss: float
    best_dev_score: float | None
    parameters: int
    end: str
    members: Sequence[Mapping[str, object]] = ()


def run_train(
    settings: Settings,
    paths: Paths,
    recorder: Recorder,
    from_scratch: bool = False,
    initial: InitialBundle | None = None,
    judges: Mapping[tuple[str, str], FoundJudge] = NO_JUDGES,
) -> TrainResult:
    """Writes ``models/bundle``, ``reports/train.json`` and ``reports/training_curve.csv``; with several ranks, only rank 0 writes.

    Args:
        settings: the sections ``model``, ``train`` and ``runtime``.
        paths: the workspace; reads ``data/tokenized``, keeps the training state in ``.s2s/train``.
        recorder: receives curves and results.
        from_scratch: whether to remove an earlier training state instead of resuming from it.
        initial: the bundle of ``train.initial_weights``; None to look for it, in folders only.
        judges: those that phases ask, by reference and digest; read by rank 0 alone.

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
        train = pin_digest(settings.train, initial)
        placement = choose_placement(runtime)
        inputs = replace(inputs, judges=ranks.from_first(lambda: dict(judges)))  # other ranks get a copy
        train = inputs.pin_judges(train)
        if initial:
            recorder.set_tags(initial.tags)
        if not ranks.rank:
            for caution in settings.cautions():
                logger.warning("%s", caution)
        work = _Work(settings, paths, inputs, placement, initial, ranks, recorder)
        members, keys = list[Member](), list[RunKey]()
        for number, own in enumerate(sections := train.members(), start=1):
            if len(sections) > 1:
                logger.info("member %d of %d, seed %d", number, len(sections), own.seed)
            states = PhaseStates.of(paths.training_state, settings.model, own, inputs.digests)
            store = stack.enter_context(open_store(paths.training_state / states.whole.folder_name, runtime, ranks))
            members.append(work.train(TrainerSettings(settings.model, own, runtime), states, store, number, from_scratch))
            keys += states.keys
        result = _summarise(members)
        if ranks.rank:
            return result
        _write_outputs(settings, paths, inputs, members, result, initial)
    remove_superseded_states(paths.training_state, keys[-1], keys)
    recorder.log_metrics({name: value for name, value in _report(result).items() if isinstance(value, float | int)})
    recorder.log_file(paths.train_report, "reports")
    recorder.log_file(paths.training_curve, "reports")
    return result


@dataclass(frozen=True)
class _Work:
    """What the trainings of one execution share."""

    settings: Settings
    paths: Paths
    inputs: TrainingInputs
    placement: Placement
    initial: InitialBundle | None
    ranks: Ranks
    recorder: Recorder

    def train(
        self, sections: TrainerSettings, states: PhaseStates, store: CheckpointStore, number: int, from_scratch: bool
    ) -> Member:
        """Trains one model; the curves of the first have their plain names."""
        shared_states = SharedPhaseStates(states, self.ranks)
        if from_scratch:
            store.clear()
            shared_states.clear()
        if not self.ranks.rank:
            report_foreign_states(self.paths.training_state, states.whole)
        recorder = self.recorder if number == 1 else MemberRecorder(self.recorder, number)
        run = TrainingRun(self.inputs, sections, self.placement, store, recorder, shared_states, self.initial, self.ranks)
        return Member(sections.train.seed, run.finish())


def _summarise(members: Sequence[Member]) -> TrainResult:
    """The result of all members: their sums, and the means of what each reached."""
    ends = dict.fromkeys(member.finished.end for member in members)
    scores = [score for member in members if (score := member.chosen.dev_score) is not None]
    return TrainResult(
        steps=sum(member.state.step for member in members),
        epochs=sum(member.state.full_epochs for member in members),
        best_step=members[0].state.best.step,
        best_dev_loss=sum(member.chosen.dev_loss for member in members) / len(members),
        best_dev_score=sum(scores) / len(scores) if scores else None,
        parameters=sum(parameter.numel() for member in members for parameter in member.finished.model.parameters()),
        end=", ".join(ends),
        members=[member.report() for member in members] if len(members) > 1 else [],
    )


def _write_outputs(
    settings: Settings,
    paths: Paths,
    inputs: TrainingInputs,
    members: Sequence[Member],
    result: TrainResult,
    initial: InitialBundle | None,
) -> None:
    """Writes the reports and, last, the bundle."""
    atomic.write_text(paths.train_report, json.dumps(_report(result), indent=1) + "\n")
    atomic.write_text(paths.training_curve, _curve_table(members[0].state, has_phases=bool(settings.train.phases)))
    model = joined(members)
    save_bundle(
        paths.bundle,
        model,
        inputs.bundle_config(settings.model).model_copy(update={"members": number_of_models(model)}),
        inputs.source_tokenizer,
        inputs.target_model,
        inputs.digests | ({INITIAL_BUNDLE: initial.digest} if initial else {}) | _judge_digests(settings.train, inputs),
    )


def _judge_digests(train: TrainSection, inputs: TrainingInputs) -> dict[str, str]:
    """The digest of each judge's bundle, by a name with the number of its phase."""
    return {
        f"{JUDGE_BUNDLE}.{number}": inputs.judges[judge.reader, judge.reader_digest].digest
        for number, judge in judges_asked(train.phases)
    }


def _report(result: TrainResult) -> Mapping[str, object]:
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
        **({"members": list(result.members)} if result.members else {}),
    }


def _curve_table(state: ProgressState, has_phases: bool) -> str:
    """The text of ``reports/training_curve.csv``, a row per validation.

    A score is empty where no dev sources are decoded. The column ``phase`` exists only where there are phases.
    """
    names = [name for name in ValidationPoint.model_fields if has_phases or name != "phase"]
    rows = [[getattr(point, name) for name in names] for point in state.validations]
    return format_csv([names, *([None if value is None else f"{value:.6g}" for value in row] for row in rows)])
