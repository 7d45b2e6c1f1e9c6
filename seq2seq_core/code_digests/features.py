"""The modules that a stage needs with given settings: one table of parts that are reached by name or by a switch.

A module that is not listed is needed by every stage that imports it. A feature is a word such as ``audio`` or ``metric:bleu``;
:func:`features_in_use` says which of them the settings use. tests/contracts/test_code_reach.py runs the stages and compares the
modules whose functions were called with those that this table includes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import get_args

from seq2seq_core.config.decoding_options import QUANTIZED_TYPES
from seq2seq_core.config.metric_names import ALWAYS_SCORED, LOSS, METRICS
from seq2seq_core.config.model import AlignmentKind, AttentionKind, ModelSection
from seq2seq_core.config.objective_sections import MONOLINGUAL_OBJECTIVES, REWARD_OBJECTIVES
from seq2seq_core.config.prepare import CLEANING_RULES
from seq2seq_core.config.settings import Settings
from seq2seq_core.config.train import Phase, TrainSection
from seq2seq_core.normal_form import MENDING_RULES

SILENT: dict[str, str] = {
    "seq2seq_core": "the version",
    "seq2seq_core.allocation": "where memory comes from",
    "seq2seq_core.artifacts": "names of files; a changed name is a changed dvc.yaml",
    "seq2seq_core.atomic": "how a file appears, not what is in it",
    "seq2seq_core.cluster": "where a part is computed, not what",
    "seq2seq_core.code_digests": "this mechanism itself",
    "seq2seq_core.config.runtime": "changes no result by definition",
    "seq2seq_core.config.section": "strictness of parsing",
    "seq2seq_core.config.settings": "parsing; the values count",
    "seq2seq_core.config.serving": "requests to a served model",
    "seq2seq_core.config.yaml_text": "parsing; the values count",
    "seq2seq_core.console": "log lines and progress",
    "seq2seq_core.corpus.leakage.split_note": "messages",
    "seq2seq_core.device": "the choice of a device, part of runtime",
    "seq2seq_core.dvc_files": "messages about missing outputs",
    "seq2seq_core.errors": "messages",
    "seq2seq_core.evaluation.sensitivity": "warnings",
    "seq2seq_core.file_lock": "who may write, not what is written",
    "seq2seq_core.lineage": "describes a version to the registry; the receipt is the same",
    "seq2seq_core.lookalikes": "messages",
    "seq2seq_core.named_modules": "how a part is found by its name",
    "seq2seq_core.stage_table": "what others know of a stage, not what it does",
    "seq2seq_core.imports": "when a library is loaded, not what it does",
    "seq2seq_core.outcome": "left beside the outputs",
    "seq2seq_core.proxies": "how servers are reached",
    "seq2seq_core.recorder": "the protocol of observers",
    "seq2seq_core.redaction": "what texts for people hide",
    "seq2seq_core.stage_history": "why a stage runs, not what it does",
    "seq2seq_core.stages.kept_vocabulary": "finds a vocabulary, whose digest counts, or refuses it",
    "seq2seq_core.tracking": "observes a stage's run",
    "seq2seq_core.tracking_address": "how MLflow is reached",
    "seq2seq_core.training.dev_metric_advice": "warnings",
    "seq2seq_core.training.distributed.rank_environment": "which of several processes this is",
    "seq2seq_core.training.hardware.flops": "measures speed",
    "seq2seq_core.training.hardware.profiler": "measures speed",
    "seq2seq_core.training.hardware.speed": "measures speed",
}
"""Modules and packages that change no output, and why."""

TRANSFORMER = ("encoder:transformer", "decoder:transformer")
RECURRENT = ("encoder:recurrent", "decoder:recurrent")
REWARDS = tuple(f"objective:{name}" for name in REWARD_OBJECTIVES)
MONOLINGUAL = tuple(f"objective:{name}" for name in MONOLINGUAL_OBJECTIVES)
ANY_MODEL: tuple[str, ...] = (
    *TRANSFORMER,
    *RECURRENT,
    *(f"attention:{name}" for name in get_args(AttentionKind) if name != "none"),
    *(f"alignment:{name}" for name in get_args(AlignmentKind) if name != "soft"),
    *("alignment", "audio", "ctc", "ensemble", "front_end", "grid_positions", "pictures", "pointer_generator"),
    *("relative_positions", "search:beam", "tag_positions", "time_scaling", "engine:ctranslate2", "engine:quantized"),
)
"""Of a model that the settings name (a teacher, a judge): what it consists of is in its bundle, so any part may be needed."""
NO_STAGE: tuple[str, ...] = ()
"""Of modules that requests reach, and no stage."""

NEEDED_BY: dict[str, tuple[str, ...]] = {
    "seq2seq_core.pictures": ("pictures",),
    "seq2seq_core.frames": ("audio", "pictures"),
    "seq2seq_core.corpus.named_files.picture_files": ("pictures",),
    "seq2seq_core.corpus.recordings": ("audio", "speech"),
    "seq2seq_core.audio": ("audio", "speech"),
    "seq2seq_core.audio.speech": ("speech",),
    "seq2seq_core.audio.vocos": ("vocoder:vocos",),
    "seq2seq_core.batching.frame_batch": ("speech",),
    "seq2seq_core.batching.temperature": ("sampling_temperature",),
    "seq2seq_core.corpus.augmentation": ("augment",),
    "seq2seq_core.corpus.conversations": ("conversations",),
    "seq2seq_core.corpus.named_files.spoken_targets": ("speech",),
    "seq2seq_core.decoding.beam_search": ("search:beam",),
    "seq2seq_core.decoding.confidence.answer_features": ("confidence",),
    "seq2seq_core.decoding.engines.ctranslate2_conversion": ("engine:ctranslate2",),
    "seq2seq_core.decoding.engines.ctranslate2_engine": ("engine:ctranslate2",),
    "seq2seq_core.bundle.lexicon_file": ("lexicon",),
    "seq2seq_core.decoding.lexicon": ("lexicon",),
    "seq2seq_core.decoding.ctc_model": ("ctc",),
    "seq2seq_core.decoding.minimum_bayes_risk": NO_STAGE,
    "seq2seq_core.decoding.sampling": NO_STAGE,
    "seq2seq_core.decoding.speech": ("speech",),
    "seq2seq_core.decoding.target_scores": NO_STAGE,
    "seq2seq_core.distillation": ("distill",),
    "seq2seq_core.modeling.decoders.alignment_decoder": ("alignment",),
    "seq2seq_core.modeling.ensemble": ("ensemble", "snapshots"),
    "seq2seq_core.modeling.layers.alignment": ("alignment",),
    "seq2seq_core.evaluation.drawing.attention_pictures": ("pictures",),
    "seq2seq_core.evaluation.trivial.nearest_picture": ("pictures",),
    "seq2seq_core.evaluation.drawing.picture_page": ("pictures",),
    "seq2seq_core.encoding.first_recording": ("audio", "speech"),
    "seq2seq_core.encoding.speech_encoding": ("speech",),
    "seq2seq_core.evaluation.confidence": ("confidence",),
    "seq2seq_core.evaluation.speech": ("speech",),
    "seq2seq_core.modeling.layers.attention": ("decoder:recurrent",),
    "seq2seq_core.modeling.decoders.bridge": ("decoder:recurrent",),
    "seq2seq_core.modeling.decoders.pointer_generator": ("pointer_generator",),
    "seq2seq_core.modeling.decoders.recurrent_decoder": ("decoder:recurrent",),
    "seq2seq_core.modeling.decoders.transformer_decoder": ("decoder:transformer",),
    "seq2seq_core.modeling.encoders.recurrent_encoder": ("encoder:recurrent",),
    "seq2seq_core.modeling.encoders.transformer_encoder": ("encoder:transformer",),
    "seq2seq_core.modeling.front_ends.conv_stack": ("front_end",),
    "seq2seq_core.modeling.front_ends.frame_embedding": ("front_end", "grid_positions"),
    "seq2seq_core.modeling.front_ends.grid_positions": ("grid_positions",),
    "seq2seq_core.modeling.layers.feed_forward": TRANSFORMER,
    "seq2seq_core.modeling.layers.frame_layers": ("speech",),
    "seq2seq_core.modeling.layers.key_value_cache": ("decoder:transformer",),
    "seq2seq_core.modeling.layers.multi_head_attention": (*TRANSFORMER, "attention:multi_head"),
    "seq2seq_core.modeling.layers.positions": (*TRANSFORMER, "time_scaling", "grid_positions"),
    "seq2seq_core.modeling.layers.quantized_weight": ("engine:quantized",),
    "seq2seq_core.modeling.layers.recurrent_layer": RECURRENT,
    "seq2seq_core.modeling.layers.relative_attention": ("relative_positions",),
    "seq2seq_core.modeling.layers.sublayer": TRANSFORMER,
    "seq2seq_core.modeling.layers.tag_positions": ("tag_positions",),
    "seq2seq_core.modeling.layers.transformer_shape": TRANSFORMER,
    "seq2seq_core.modeling.speech_model": ("speech",),
    "seq2seq_core.registry.judges.judged_speech": ("speech",),
    "seq2seq_core.score_filter": ("score_filter",),
    "seq2seq_core.training.data.picture_augment": ("picture_augment",),
    "seq2seq_core.training.data.sentence_reader": MONOLINGUAL,
    "seq2seq_core.training.data.spec_augment": ("spec_augment",),
    "seq2seq_core.training.initial.warm_start": ("initial_weights",),
    "seq2seq_core.audio.speech.heard_frames": ("judge",),
    "seq2seq_core.training.objectives.judged": ("judge",),
    "seq2seq_core.training.objectives.back_translation": ("objective:back_translation",),
    "seq2seq_core.training.objectives.coverage": ("coverage",),
    "seq2seq_core.training.objectives.ctc": ("ctc",),
    "seq2seq_core.training.objectives.denoising": MONOLINGUAL,
    "seq2seq_core.training.objectives.frame_differences": ("objective:frames",),
    "seq2seq_core.training.objectives.monolingual_mixture": MONOLINGUAL,
    "seq2seq_core.training.objectives.noise": MONOLINGUAL,
    "seq2seq_core.training.objectives.r_drop": ("r_drop",),
    "seq2seq_core.training.objectives.reinforcement": REWARDS,
    "seq2seq_core.training.objectives.reward": REWARDS,
    "seq2seq_core.training.objectives.samples": (*REWARDS, "objective:back_translation"),
    "seq2seq_core.training.objectives.scheduled_sampling": ("scheduled_sampling",),
    "seq2seq_core.training.updates.snapshot_ensemble": ("snapshots",),
    "seq2seq_core.training.speech_validation": ("speech",),
}
"""Modules and packages that are needed only with one of the features listed."""

PARTS: dict[str, str] = {
    CLEANING_RULES: "rule",
    MENDING_RULES: "mending",
    METRICS: "metric",
    "seq2seq_core.modeling.alignments": "alignment",
    "seq2seq_core.modeling.attention": "attention",
    "seq2seq_core.training.updates.schedules": "schedule",
}
"""Packages whose modules are loaded by name, with the prefix of their features: ``metric`` in ``metric:bleu``."""


def features_in_use(settings: Settings, sections: Sequence[str]) -> frozenset[str]:
    """The features that a stage uses.

    Args:
        settings: all settings of the workspace.
        sections: names of the sections that the stage reads.
    """
    found = [*_corpus_features(settings), *training_features(settings.model, settings.train)]
    if "train" not in sections:  # other stages use the model, but not the scores of dev
        found = [name for name in found if not name.startswith("metric:")]
    if "prepare" in sections:
        found += ["distill", *ANY_MODEL] if settings.prepare.distill is not None else []
        found += ["score_filter", *ANY_MODEL] if settings.prepare.score_filter is not None else []
        found += ["augment"] if settings.prepare.augment.kinds() else []
        found += [f"rule:{name}" for name in settings.prepare.rules_in_use()]
    if "register" in sections:
        found.append(f"metric:{settings.register_.metric}")
    elif "evaluate" in sections:
        found += [f"metric:{name}" for name in settings.evaluate.metrics]
        found += ANY_MODEL if settings.evaluate.speech.read_back else ()
    if "evaluate" in sections and settings.evaluate.speech.vocoder.path:
        found.append(f"vocoder:{settings.evaluate.speech.vocoder.name}")
    if settings.evaluate.confidence_event != "none":
        found.append("confidence")
    if settings.evaluate.lexicon:
        found.append("lexicon")
    if settings.evaluate.beam_size > 1:
        found.append("search:beam")
    if settings.evaluate.engine != "torch" and {*TRANSFORMER} <= {*found}:
        found.append("engine:ctranslate2")
    if settings.evaluate.compute_type in QUANTIZED_TYPES and "train" not in sections:  # a training decodes at float32
        found.append("engine:quantized")
    return frozenset(found)


def training_features(model: ModelSection, train: TrainSection) -> Iterator[str]:
    """The features that the architecture and the phases of a training use.

    Args:
        model: the architecture.
        train: the phases.
    """
    for side, kind in (("encoder", model.encoder_architecture), ("decoder", model.decoder_architecture)):
        yield f"{side}:{'transformer' if kind == 'transformer' else 'recurrent'}"
    if model.alignment != "soft":
        yield f"alignment:{model.alignment}"
    elif model.decoder_architecture != "transformer" and model.attention != "none":
        yield f"attention:{model.attention}"
    switches = {
        "front_end": model.front_end is not None,
        "ctc": model.ctc,
        "grid_positions": model.grid_positions != "none",
        "alignment": model.alignment != "soft",
        "relative_positions": model.positions.startswith("relative"),
        "tag_positions": not model.tag_positions,
        "pointer_generator": model.pointer_generator,
        "time_scaling": model.time_scaling != "none",
        "initial_weights": bool(train.initial_weights),
        "ensemble": bool(train.ensemble.members),
        "snapshots": bool(train.ensemble.num_snapshots),
        "speech": model.frames is not None,
    }
    for phase in train.all_phases():
        yield f"objective:{phase.objective}"
        yield f"schedule:{phase.schedule}"
        yield from (f"metric:{name}" for name in (*ALWAYS_SCORED, phase.dev_metric) if name != LOSS)
        if phase.objective in REWARD_OBJECTIVES:
            yield f"metric:{phase.reinforcement.reward}"
        switches |= {name: True for name, is_on in _phase_switches(phase).items() if is_on}
    yield from (name for name, is_on in switches.items() if is_on)
    if switches.get("judge"):
        yield from ANY_MODEL


def _phase_switches(phase: Phase) -> dict[str, bool]:
    """Whether a phase uses each feature that has a switch."""
    return {
        "coverage": bool(phase.coverage_weight),
        "judge": phase.asks_judge,
        "picture_augment": phase.picture_augment.is_on,
        "r_drop": bool(phase.r_drop_weight),
        "sampling_temperature": phase.sampling_temperature != 1.0,
        "scheduled_sampling": phase.scheduled_sampling.decay != "none",
        "spec_augment": phase.spec_augment.is_on,
    }


def _corpus_features(settings: Settings) -> Iterator[str]:
    corpus = settings.corpus
    if corpus.source_kind == "audio":
        yield "audio"
    if corpus.source_kind == "image":
        yield "pictures"
    if corpus.target_kind == "audio":
        yield "speech"
    if corpus.conversations is not None:
        yield "conversations"
    yield from (f"mending:{name}" for name in settings.prepare.mend)


def is_silent(module: str) -> bool:
    """Whether a module changes no output; ``seq2seq_core`` stands only for its ``__init__.py``."""
    return module in SILENT or any(module.startswith(f"{name}.") for name in SILENT if name != "seq2seq_core")


def is_needed(module: str, features: frozenset[str]) -> bool:
    """Whether settings with these features need a module that is imported.

    Args:
        module: its absolute name.
        features: from :func:`features_in_use`.
    """
    return all(
        not features.isdisjoint(needed) for name, needed in NEEDED_BY.items() if module == name or module.startswith(f"{name}.")
    )


def parts_in_use(package: str, features: frozenset[str]) -> Iterator[str]:
    """The modules that are loaded by name from a package of parts.

    Args:
        package: any package.
        features: from :func:`features_in_use`.
    """
    if package in PARTS:
        prefix = f"{PARTS[package]}:"
        yield from sorted(f"{package}.{feature.removeprefix(prefix)}" for feature in features if feature.startswith(prefix))
