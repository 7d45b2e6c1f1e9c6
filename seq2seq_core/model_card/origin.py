"""Where a version comes from, by the workspace's settings and reports. A report that is missing or damaged leaves a gap."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from seq2seq_core.artifacts import PARAMS_FILE, SPLITS, Paths
from seq2seq_core.bundle.config_file import INITIAL_BUNDLE, BundleFile
from seq2seq_core.config.corpus import CorpusSection, constants_of, names_of
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.pairs import SOURCE_LANGUAGE, TARGET_LANGUAGE, PreparedTeacher, read_teacher
from seq2seq_core.corpus_import.source_record import read_sources
from seq2seq_core.dvc_files import read_lock
from seq2seq_core.model_card.facts import Breach, CorpusSource, CurvePoint, Origin, Split

MAX_POINTS = 400
TRAINING = {
    "steps": "updates", "epochs": "epochs", "end": "ended by", "best_step": "best update", "best_dev_loss": "best dev loss",
    "best_dev_score": "best dev score",
}  # fmt: skip


def read_origin(settings: Settings, paths: Paths, content: BundleFile, inputs: Mapping[str, str]) -> Origin:
    """The facts of the training in a workspace.

    Args:
        settings: section ``register``.
        paths: the workspace; reads ``reports/``.
        content: of the bundle's ``config.json``.
        inputs: digests of the corpus and of the intermediate files, by name.
    """
    validation, prepare = read_report(paths.validation_report), read_report(paths.prepare_report)
    train, tokens = read_report(paths.train_report), read_report(paths.tokenize_report)
    results = [one for one in validation.get("results", []) if isinstance(one, dict)]
    return Origin(
        purpose=settings.register_.purpose,
        use=_describe_use(_recorded(paths.root, "prepare", "corpus"), content, read_teacher(paths.prepared_teacher)),
        sources=_read_sources(paths),
        splits=[split for split in read_funnels(prepare) if split.name in (*SPLITS, "teacher")],
        contracts=len(results),
        breaches=[
            Breach(
                statement=str(one.get("statement", "")), split=str(one.get("split", "")), severity=str(one.get("severity", "")),
                rows=int(one.get("unexpected") or 0),
            )
            for one in results
            if not one.get("success", True)
        ],
        training=describe_training(train),
        curve=read_curve(paths.training_curve),
        dev_metric=str(_recorded(paths.root, "train", "train").get("dev_metric", "")),
        unknown={
            f"{split} {side}": float(tokens[split][side]["unknown_fraction"])
            for split in SPLITS
            for side in ("source", "target")
            if "unknown_fraction" in _inner(tokens, split, side)
        },
        inputs=dict(inputs),
    )  # fmt: skip


def describe_training(report: Mapping[str, Any]) -> dict[str, str]:
    """How a training went, by label.

    Args:
        report: ``reports/train.json``.
    """
    found = {label: report[name] for name, label in TRAINING.items() if report.get(name) is not None}
    return {label: f"{value:.6g}" if isinstance(value, float) else str(value) for label, value in found.items()}


def read_funnels(report: Mapping[str, Any]) -> list[Split]:
    """The funnel of each split, language and teacher.

    Args:
        report: ``reports/prepare.json``.
    """
    return [_split(name, own) for name, own in report.items() if isinstance(own, dict)]


def read_report(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty where there is none.

    Args:
        path: of a report.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return report if isinstance(report, dict) else {}


def read_curve(path: Path) -> list[CurvePoint]:
    """The training curve, thinned to some hundred points; every point with a dev score stays.

    Args:
        path: ``reports/training_curve.csv``.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        points = [
            CurvePoint(step=int(row["step"]), **{name: _number(row.get(name)) for name in ("train_loss", "dev_loss", "dev_score")})
            for row in rows
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    stride = max(1, len(points) // MAX_POINTS)
    return [point for place, point in enumerate(points) if place % stride == 0 or point.dev_loss is not None]


def _number(text: str | None) -> float | None:
    value = float(text) if text else None
    return value if value is not None and math.isfinite(value) else None


def _inner(report: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """A part of a report; empty where it is missing."""
    value: Any = report
    for name in names:
        value = value.get(name, {}) if isinstance(value, dict) else {}
    return value if isinstance(value, dict) else {}


def _split(name: str, report: Mapping[str, Any]) -> Split:
    suffix = "_characters"
    return Split(
        name=name,
        rows_in=int(report.get("rows_in") or 0),
        dropped={str(rule): int(count) for rule, count in _inner(report, "dropped").items()},
        carved={str(part): int(count) for part, count in _inner(report, "carved").items()},
        augmented={str(kind): int(count) for kind, count in _inner(report, "augmented").items()},
        changed={str(rule): int(count) for rule, count in _inner(report, "changed").items()},
        rows_out=int(report.get("rows_out") or 0),
        lengths={
            key.removesuffix(suffix): {str(one): float(value) for one, value in profile.items()}
            for key, profile in report.items()
            if key.endswith(suffix) and isinstance(profile, dict)
        },
    )


def _recorded(root: Path, stage: str, section: str) -> Mapping[str, Any]:
    """The settings of a section as the last run of a stage had them, by ``dvc.lock``; ``params.yaml`` may have changed since."""
    return _inner(read_lock(root), stage, "params", PARAMS_FILE, section)


def _read_sources(paths: Paths) -> list[CorpusSource]:
    """The imports that the prepared corpus is made of; none where it is not here, or came otherwise."""
    path = _recorded(paths.root, "prepare", "corpus").get("path")
    if not path:
        return []
    return [
        CorpusSource(source=one.source, version=one.version, licence=one.licence) for one in read_sources(paths.root / str(path))
    ]


def _describe_use(corpus: Mapping[str, Any], content: BundleFile, teacher: PreparedTeacher | None) -> dict[str, str]:
    """The settings that say what the model does, in words."""
    config = content.config
    kind = "recordings" if config.frame_width else "texts"
    kind = "pictures" if config.pictures is not None else kind
    use = {"task": f"turns {kind} into texts"}
    try:
        known = CorpusSection.model_validate(dict(corpus))
    except ValidationError:  # nothing recorded, or by another release
        known = None
    if known is not None:
        files = known.files
        names = (" + ".join(names_of(entry)) for entry in (*files.train, *files.dev, *files.test))
        use["corpus"] = f"{known.path}: {', '.join(names)}; columns {' and '.join(dict.fromkeys(known.pair_columns))}"
        languages = {
            f"{column.replace('_', ' ')} {value}": None
            for entry in files.train
            for column, value in constants_of(entry).items()
            if column in (SOURCE_LANGUAGE, TARGET_LANGUAGE)
        }
        if languages:
            use["languages"] = ", ".join(languages)
    if config.tags.all:
        use["told by columns"] = ", ".join(config.tags.all)
    use["architecture"] = describe_model(config.model)
    pieces = [f"{side} {kind}" for side, kind in content.tokenizers.items()]
    sides = [config.source_vocabulary_size, config.target_vocabulary_size]
    sizes = f"{' and '.join(str(size) for size in sides if size)} symbols"
    use["vocabulary"] = f"{', '.join(pieces)}; {sizes}{', joint' if config.joint else ''}"
    use["decoding"] = describe_decoding(content.decoding or DecodingOptions())
    if content.engine is not None:
        use["engine"] = f"{content.engine.name}, weights in {content.engine.compute_type}"
    if initial := content.data_digests.get(INITIAL_BUNDLE):
        use["initial weights"] = f"bundle {initial}"
    if teacher is not None:
        use["teacher"] = f"{teacher.teacher}, bundle {teacher.digest}"
    return use


def describe_model(model: ModelSection) -> str:
    """The architecture in a line.

    Args:
        model: its settings.
    """
    parts = "/".join(name for name in (model.encoder, model.decoder) if name) or model.architecture
    return f"{parts}, width {model.width}, {model.encoder_layers}+{model.decoder_layers} layers, attention {model.attention}"


def describe_decoding(options: DecodingOptions) -> str:
    """The decoding options that differ from the defaults, and the beam size.

    Args:
        options: of the bundle.
    """
    default = DecodingOptions().model_dump()
    changed = {name: value for name, value in options.model_dump().items() if value != default[name] and name != "beam_size"}
    return ", ".join([f"beam size {options.beam_size}", *(f"{name.replace('_', ' ')} {value}" for name, value in changed.items())])
