"""The table of stages, read by the command line, MLflow tracking, the settings and the flow.

``dvc.yaml`` declares what each stage reads and writes, and so the order of execution; the order here is that of the help.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Stage:
    """A stage of ``dvc.yaml``.

    Attributes:
        name: its name in ``dvc.yaml``, in outcomes and in MLflow.
        sections: the sections of ``params.yaml`` that it reads: its ``params`` in ``dvc.yaml``, the parameters of its MLflow run.
        help: the help text of its command; the first line is the summary.
        command: its ``s2s`` command; empty: the stage's name.
        function: ``module:function``, called with settings, paths and recorder; empty: ``run_<name>`` of ``stages/<name>.py``.
        outside_inputs: ``module:function``, called with settings and paths: digests of inputs that DVC does not see, by name, which
            the stage ``code`` writes beside those of the code. Empty: it has none.
        own_section: ``module:class`` of a settings section that :class:`~seq2seq_core.config.settings.Settings` does not declare.
            The section has the stage's name, and every field has a default.
        is_tracked: whether each execution is an MLflow run.
        bundle: the bundle it writes or reads, as named in :class:`~seq2seq_core.artifacts.Paths`; the digest identifies its MLflow
            run. Empty: none.
    """

    name: str
    sections: tuple[str, ...]
    help: str
    command: str = ""
    function: str = ""
    outside_inputs: str = ""
    own_section: str = ""
    is_tracked: bool = True
    bundle: Literal["", "bundle", "served"] = ""

    @property
    def command_name(self) -> str:
        """The command of ``s2s`` that runs it."""
        return self.command or self.name

    @property
    def function_place(self) -> str:
        """The location of its function: ``module:function``."""
        return self.function or f"seq2seq_core.stages.{self.name}:run_{self.name}"

    def load_outside_inputs(self) -> Callable[..., Mapping[str, str]] | None:
        """The function that digests its inputs outside of DVC, imported; None: it has none."""
        return _load(self.outside_inputs) if self.outside_inputs else None

    def load_function(self) -> Callable[..., object]:
        """Its function, imported."""
        function: Callable[..., object] = _load(self.function_place)
        return function


WORKING_STAGES = (
    Stage(
        "validate",
        ("corpus", "validate"),
        """Check the raw corpus against the data contracts of params.yaml (section validate).

Reads the corpus folder; writes reports/validation.json and Great Expectations' Data Docs (.s2s/data_docs/index.html).
A broken contract of severity error stops the run and names the first offending lines.""",
    ),
    Stage(
        "prepare",
        ("corpus", "prepare"),
        """Clean, deduplicate and split the corpus (section prepare).

Reads the corpus folder; writes data/prepared/{train,dev,test}.jsonl, monolingual.LANGUAGE.jsonl for monolingual
corpora, the funnel, reports/prepare.json, and samples of the rows dropped, reports/dropped.jsonl (s2s dropped).
It stops if a split loses more than prepare.max_dropped_fraction of its rows.
A hash of its source decides the split of a pair, so a growing corpus never moves a pair.
With prepare.distill a teacher also decodes train, and its outputs become pairs of it; what is decoded stays in .s2s/distill,
so that the same command goes on after a kill (docs/student.md).""",
        outside_inputs="seq2seq_core.stages.models_of_prepare:digest_outside_inputs",
    ),
    Stage(
        "tokenize",
        ("tokenize",),
        """Train the subword models and turn text into ids (section tokenize).

Reads data/prepared; writes data/tokenized (SentencePiece models, memory-mapped ids), reports/tokenize.json, and the profile
of train, reports/corpus_profile.json, by which a later corpus is compared with this one (docs/drift.md).
With tokenize.vocabulary it keeps the subword models of a registered version (docs/fine-tuning.md).""",
        outside_inputs="seq2seq_core.stages.kept_vocabulary:digest_outside_inputs",
    ),
    Stage(
        "train",
        ("model", "train"),
        """Train the model (sections model and train).

Reads data/tokenized; writes models/bundle, reports/train.json and reports/training_curve.csv.
Ctrl-C saves the state; the same command continues from there and ends in the same weights.
On several GPUs it starts one process for each (runtime.devices); over several nodes use torchrun (docs/distributed.md).
To fine-tune, name a bundle's folder or a registered version in train.initial_weights (docs/fine-tuning.md).""",
        outside_inputs="seq2seq_core.serving.found_models:digest_judges",
        bundle="bundle",
    ),
    Stage(
        "export",
        ("evaluate",),
        """Put the trained model, the decoding options, the engine and the confidence together (section evaluate).

Reads models/bundle and, to calibrate the confidence, data/prepared/dev.jsonl; writes models/served, the bundle that is
evaluated, registered, served and used by s2s predict.
With --to it writes the model for use elsewhere instead, with a certificate: parity with the reference on dev, quality
lost with its interval, size and speed. Example: s2s export --to ctranslate2 --compute int8 --output FOLDER""",
        outside_inputs="seq2seq_core.stages.evaluating.named_vocoder:digest_outside_inputs",
        bundle="served",
    ),
    Stage(
        "evaluate",
        ("evaluate",),
        """Decode the test set and score it (section evaluate).

Reads models/served, whose decoding options it uses, and data/prepared; writes reports/metrics.json (test.exact_match,
test.bleu, ...), and in reports/evaluation the predictions, the worst examples, the slices and, in scores.json, every
other figure.""",
        outside_inputs="seq2seq_core.stages.evaluating.judge_of_speech:digest_outside_inputs",
        bundle="served",
    ),
    Stage(
        "register",
        ("evaluate", "register"),
        """Put the model into the MLflow registry and decide on the alias champion (section register).

Reads models/served and reports/metrics.json; writes the receipt reports/registration.json.
It also says how the corpus differs from the champion's (register.drift; docs/drift.md).
The same bundle is never registered twice.""",
        bundle="served",
    ),
)
"""The stages that work on the corpus or the model."""

CODE = Stage(
    "code",
    tuple(dict.fromkeys(section for stage in WORKING_STAGES for section in stage.sections)),
    """Digest the code that each stage reaches with the present settings.

Writes reports/code/STAGE.json, which the stages of dvc.yaml depend on in place of source files: a comment, a docstring or
a part of the program that the settings do not use makes no stage stale.""",
    command="code-digests",
    is_tracked=False,
)
"""The stage before all others: it reads the settings of each."""

STAGES = (CODE, *WORKING_STAGES)
"""All stages."""

LEARNING_CURVE = Stage("learning-curve", ("model", "train"), "", function="seq2seq_core.stages.learning_curve:run_learning_curve")
ABLATE = Stage("ablate", ("corpus", "prepare"), "", function="seq2seq_core.ablation.ablation_run:run_ablation")
"""No stages of the graph, but tracked by MLflow runs of the same kind."""


def find_stage(name: str) -> Stage:
    """The stage with a name, :data:`LEARNING_CURVE` and :data:`ABLATE` included.

    Args:
        name: such as ``train``.

    Raises:
        KeyError: no stage has that name.
    """
    return {stage.name: stage for stage in (*STAGES, LEARNING_CURVE, ABLATE)}[name]


def own_sections() -> dict[str, Any]:
    """The settings classes that stages declare in ``own_section``, imported, by stage name."""
    return {stage.name: _load(stage.own_section) for stage in STAGES if stage.own_section}


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
