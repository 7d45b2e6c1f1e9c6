"""The training loop of one phase: update, log, validate, keep the best, save the state, stop when due."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from seq2seq_core.config.metric_names import LOSS
from seq2seq_core.console import Progress, progress
from seq2seq_core.errors import Interrupted
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.reproducibility import derive_seed
from seq2seq_core.training.data.parts import PhaseData
from seq2seq_core.training.data.update_plan import Place, PlannedUpdate
from seq2seq_core.training.dev_metric_advice import WARNING_AFTER, warn_of_insensitive_metric, warn_of_worst_score
from seq2seq_core.training.distributed.agreement import agree_on_stop, check_same_weights
from seq2seq_core.training.hardware.profiler import StepProfiler
from seq2seq_core.training.progress_observer import ProgressObserver
from seq2seq_core.training.state.checkpoint import Restored
from seq2seq_core.training.state.checkpoint_store import CheckpointStore
from seq2seq_core.training.state.curve_log import CurveLog
from seq2seq_core.training.state.progress_state import ProgressState, ValidationPoint
from seq2seq_core.training.state.state_tensors import collect_tensors, restore_tensors
from seq2seq_core.training.stop_request import StopRequest, StopSeen, exit_code_after
from seq2seq_core.training.trainer_settings import TrainerSettings
from seq2seq_core.training.updates.divergence import Diverged, check_validation, explain_end, explain_no_update
from seq2seq_core.training.updates.updater import Updater
from seq2seq_core.training.validation import SCORE_BESIDE_LOSS, Validator

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunContext:
    """The objects that the phases of a training share.

    Attributes:
        settings: sections ``model``, ``train`` and ``runtime``.
        store: stores the state.
        curves: stores the curves.
        stop: tells whether the process was asked to stop.
        observer: observes the progress.
    """

    settings: TrainerSettings
    store: CheckpointStore
    curves: CurveLog
    stop: StopRequest
    observer: ProgressObserver


class Trainer:
    """Trains a model to the end of a phase, from any point of the phase.

    Args:
        updater: makes the updates, and has the model to train.
        validator: validates the model.
        data: the training data of the phase.
        state: progress of the run, with its phase; :meth:`restore` takes the tensors that belong to it.
        context: the objects that the phases share.
    """

    def __init__(self, updater: Updater, validator: Validator, data: PhaseData, state: ProgressState, context: RunContext) -> None:
        self.updater, self.validator, self.data, self.state = updater, validator, data, state
        self.store, self.curves, self.stop, self.observer = context.store, context.curves, context.stop, context.observer
        settings, self.ranks = context.settings, updater.ranks
        self.phases, self.seed, self.runtime = settings.train.all_phases(), settings.train.seed, settings.runtime
        self.settings = self.phases[state.phase]
        self._last_save = time.monotonic()
        self._profiler = StepProfiler(self.runtime.profile_steps, self.store.folder, self.curves.recorder, updater.placement.device)
        self._speed = settings.speed_meter(updater, self.settings)
        self._message = ""

    @property
    def model(self) -> Seq2Seq:
        """The model that is trained."""
        return self.updater.model

    def restore(self, restored: Restored) -> None:
        """Restores weights, optimiser and averages from a checkpoint."""
        restore_tensors(self.updater, restored.tensors)

    def fit(self) -> str:
        """Trains to the end of the phase; its best weights are then in the store.

        Returns:
            the reason of the end: ``max_steps``, ``max_epochs`` or ``patience``.

        Raises:
            Interrupted: the process was asked to stop; the state is saved.
            UserError: the run diverges, and may not step back (any more).
        """
        name = "train" if len(self.phases) == 1 else f"train, phase {self.state.phase + 1} of {len(self.phases)}"
        last_step = self.state.phase_step + self._expected_steps()
        warn_of_insensitive_metric(self.settings, self.validator.references, self.validator.scoring)
        with progress(name, last_step, "steps", self.runtime.progress, start=self.state.step) as shown, self._profiler:
            if self.settings.divergence.action == "step_back" and not self.state.steps_in_phase:
                self._save(is_good=True)
            if self._is_validation_due():  # the run was stopped before the end of its last validation
                self._validate_or_step_back()
            for planned in self.data.plan.updates_from(self.state.next_place):
                if end := self._end():
                    break
                self.observer.observe(self.state)
                self._update(planned, shown)
                self._profiler.after_update()
                self._save_or_stop()
                if self._is_validation_due():
                    self._validate_or_step_back()
        return end

    def log_rest(self) -> None:
        """Adds a point for the updates since the last one, so that no point of the curves spans two phases."""
        if self.state.since_log.target_tokens:
            self._log()

    def _update(self, planned: PlannedUpdate, shown: Progress) -> None:
        """Makes one update and logs it if due; steps back if the run diverges."""
        state, place = self.state, planned.place
        seed = derive_seed(self.seed, "update", *place.numbers)
        pieces = self.ranks.share_out(planned.batches)
        batches = self.ranks.attempt(lambda: [self.data.read(batch, seed) for batch, _ in pieces])
        self.updater.pace = state.pace(self.settings, self.updater.placement.is_float16)
        try:
            result = self.updater.apply(batches, state.step + 1, seed, [piece.key for piece in pieces])
        except Diverged as divergence:
            self._step_back(divergence, planned.after)
            return
        state.step += 1
        state.next_place = planned.after
        state.last_learning_rate, state.last_gradient_norm = result.learning_rate, result.gradient_norm
        state.since_log.add(result)
        state.since_validation.add(result)
        if self.updater.placement.is_float16:
            state.loss_scale = state.loss_scale.after_update(result.is_applied)
        state.loss_average.add(result.negative_log_likelihood / result.target_tokens)
        self._speed.add(batches, result.tokens)
        if state.step % self.runtime.log_every_steps == 0:
            self._log()
        shown.update(state.step, self._message)

    def _log(self) -> None:
        """Adds a point to the training curves, and to the progress display."""
        speed = self._speed.take()
        measures, loss = self.state.since_log.take_measures(), self.state.since_log.take()
        self.curves.add(
            self.state.step,
            {
                "train_loss": loss,
                "learning_rate": self.state.last_learning_rate,
                "gradient_norm": self.state.last_gradient_norm,
                **speed,
                **measures,
                **({"phase": float(self.state.phase)} if len(self.phases) > 1 else {}),
            },
        )
        share = f" ({speed['share_of_peak']:.0%} of the peak of its products)" if "share_of_peak" in speed else ""
        self._message = f"loss {loss:.4f}, {speed.get('tokens_per_second', 0.0):,.0f} tokens/s{share}"

    def _step_back(self, divergence: Diverged, next_place: Place) -> None:
        """Restores the last good weights, averages and optimiser; the step count, the curves and the data continue.

        The good state is that of the last validation, not the last saved one, which depends on the clock.

        Args:
            divergence: the error of the update or validation.
            next_place: where the data continues.

        Raises:
            UserError: the settings do not allow a (further) step back, no good state can be read, or no data is left to continue
                with.
        """
        state, settings = self.state, self.settings.divergence
        may_step_back = settings.action == "step_back" and state.num_step_backs < settings.max_step_backs
        good = self.store.restore_good() if may_step_back else None
        if good is None:
            raise explain_end(divergence, settings, state.num_step_backs, self.store.last_step()) from None
        self.restore(good)
        state.loss_average = state.loss_average.after_stepping_back(good.checkpoint.progress.loss_average)
        state.num_step_backs += 1
        state.next_place = next_place
        if self._limit() and not state.steps_in_phase:
            raise explain_no_update(divergence, self.settings.max_epochs) from None
        self.curves.add(state.step, {"step_backs": float(state.num_step_backs)})
        logger.warning(
            "%s; stepped back to the weights of step %d (time %d of at most %d), the learning rate is multiplied by %g from now on",
            divergence, good.checkpoint.progress.step, state.num_step_backs, settings.max_step_backs,
            settings.rate_factor**state.num_step_backs,
        )  # fmt: skip

    def _validate_or_step_back(self) -> None:
        """Validates and saves; if the dev loss is not a number, steps back and validates again."""
        try:
            self._validate()
        except Diverged as divergence:
            self._step_back(divergence, self.state.next_place)
            self._validate()
        self._save(is_good=self.settings.divergence.action == "step_back")

    def _validate(self) -> None:
        """Validates, adds to curves and history, and keeps the weights if they are the best."""
        state, metric = self.state, self.settings.dev_metric
        check_same_weights(self.ranks, self.model, state.step)
        self.updater.before_validation(state.step)
        try:
            with self._speed.stopped():
                validation = self.validator.validate(self.updater.kept_model, self.stop.check)
        except StopSeen:
            self._save_or_stop()
            raise
        check_validation(state.step, validation.loss)
        dev_score = validation.scores.get(SCORE_BESIDE_LOSS if metric == LOSS else metric)
        point = ValidationPoint(
            phase=state.phase,
            step=state.step,
            train_loss=state.since_validation.take(),
            dev_loss=validation.loss,
            learning_rate=state.last_learning_rate,
            gradient_norm=state.last_gradient_norm,
            dev_score=dev_score,
        )
        state.validations.append(point)
        named_scores = {f"dev_{name}": value for name, value in validation.scores.items()}
        self.curves.add(state.step, {"dev_loss": point.dev_loss, **named_scores, **validation.further})
        is_best = state.best.observe(state.step, point.dev_loss, dev_score, self.settings.min_improvement)
        self._observe_plateau()
        if state.best.num_at_worst == WARNING_AFTER:
            references = self.validator.references
            warn_of_worst_score(state.step, self.settings, validation.hypotheses, references, self.validator.scoring)
        if is_best:
            self.store.save_best(state.step, dict(self.updater.kept_model.state_dict()))
        scores = "".join(f", {key} {value:.4f}" for key, value in (validation.scores | validation.further).items())
        logger.info(
            "step %d: train loss %.4f, dev loss %.4f%s%s",
            state.step, point.train_loss, point.dev_loss, scores, " (best so far)" if is_best else "",
        )  # fmt: skip

    def _observe_plateau(self) -> None:
        """Lowers the learning rate of ``schedule: plateau`` after ``plateau.patience`` validations without progress."""
        state, settings = self.state, self.settings
        if settings.schedule != "plateau" or state.steps_in_phase < settings.warmup_steps:
            return
        if state.plateau.observe(state.best.num_stale == 0, settings.plateau):
            rate = settings.learning_rate * state.pace(settings, scales_loss=False).rate_scale
            logger.info("step %d: dev does not get better; the learning rate is %g from now on", state.step, rate)

    def _is_validation_due(self) -> bool:
        """Whether the current weights must be validated and have not been yet."""
        step = self.state.steps_in_phase
        is_due = step > 0 and (step % self.settings.validate_every_steps == 0 or self._limit() != "")
        return is_due and not self.state.is_validated

    def _limit(self) -> str:
        """The limit that the phase has reached, or an empty text."""
        if self.state.steps_in_phase >= self.settings.max_steps:
            return "max_steps"
        if self.settings.max_epochs and self.state.epochs_in_phase >= self.settings.max_epochs:
            return "max_epochs"
        return ""

    def _end(self) -> str:
        """The reason to end the phase, or an empty text."""
        if self.settings.patience and self.state.best.num_stale >= self.settings.patience:
            return "patience"
        return self._limit()

    def _expected_steps(self) -> int:
        """The maximum number of updates in this phase."""
        steps = self.settings.max_steps
        return min(steps, self.settings.max_epochs * self.data.plan.updates_per_epoch) if self.settings.max_epochs else steps

    def _save_or_stop(self) -> None:
        """Saves the state if a save is due or any rank must stop; in the second case all ranks stop."""
        self.store.check()
        is_due = time.monotonic() - self._last_save >= self.runtime.checkpoint_every_seconds
        asked, is_due = agree_on_stop(self.ranks, self.stop.signal, is_due)
        if asked or is_due:
            self._save()
        if asked:
            self.store.settle()
            raise Interrupted(
                f"training stopped after step {self.state.step} by {asked.name}; its state is saved, "
                "and the same command goes on from there",
                exit_code_after(asked),
            )

    def _save(self, is_good: bool = False) -> None:
        """Flushes the curves and stores a checkpoint; a run that diverges steps back to the last good one."""
        tensors = collect_tensors(self.updater)
        with self._speed.stopped():
            self.store.save(self.state, tensors, self.curves.flush(), is_good)
        self._last_save = time.monotonic()
