"""The drift that somebody asks for: of the workspace's corpus, of a version, or of requests, from a registered version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.config_file import read_config
from seq2seq_core.config.settings import Settings
from seq2seq_core.drift.corpus_profile import Profile
from seq2seq_core.drift.drift_report import DriftReport, compare_profiles
from seq2seq_core.drift.text_sample import profile_requests
from seq2seq_core.errors import UserError
from seq2seq_core.registry.bundles import download_bundle
from seq2seq_core.registry.profiles.version_profiles import count_like, read_own_profile, read_piece_models, read_stored_profile
from seq2seq_core.registry.stored_model import label_of
from seq2seq_core.tracking.mlflow.store import store_errors

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


def compare_workspace(against: ModelVersion, settings: Settings, paths: Paths) -> DriftReport:
    """How the workspace's tokenised corpus differs from that of a version.

    Args:
        against: the version.
        settings: ``register.drift``.
        paths: the workspace.

    Raises:
        UserError: one of them has no profile, or nothing can be compared.
        BundleError: the version's bundle is missing or damaged.
        TrackingUnreachable: MLflow does not answer.
    """
    old, new = _stored(against, paths), read_own_profile(paths)
    if new is None:
        raise UserError(f"{paths.corpus_profile}: no such file; `s2s tokenize` (or `dvc repro tokenize`) makes it")
    return _compare(old, count_like(against, new, paths), (label_of(against), "the workspace's corpus"), settings)


def compare_versions(version: ModelVersion, against: ModelVersion, settings: Settings, paths: Paths) -> DriftReport:
    """How the corpus of a version differs from that of another one; neither corpus is needed.

    Args:
        version: the newer one.
        against: the older one.
        settings: ``register.drift``.
        paths: the workspace, whose registry is read.

    Raises:
        UserError: one of them has no profile, or nothing can be compared.
        TrackingUnreachable: MLflow does not answer.
    """
    return _compare(_stored(against, paths), _stored(version, paths), (label_of(against), label_of(version)), settings)


def compare_requests(texts: Sequence[str], name: str, against: ModelVersion, settings: Settings, paths: Paths) -> DriftReport:
    """How texts that users sent differ from the sources that a version learned from.

    Args:
        texts: as they were sent; brought into the version's normal form here.
        name: of the texts, for the report.
        against: the version.
        settings: ``register.drift``.
        paths: the workspace; downloads the version's bundle.

    Raises:
        UserError: the version has no profile, or reads recordings or pictures, or there are too few texts.
        BundleError: the version's bundle is missing or damaged.
        TrackingUnreachable: MLflow does not answer.
    """
    old, bundle = _stored(against, paths), download_bundle(against, paths)
    source, _ = read_piece_models(bundle)
    if source is None or old.source is None:
        raise UserError(f"{label_of(against)} reads recordings or pictures: only texts can be compared")
    if not texts:
        raise UserError(f"{name}: holds no text; expected one request a line, or JSON lines with the source's column")
    form = read_config(bundle).config.normal_form
    return _compare(old, profile_requests([form.apply(text) for text in texts], source), (label_of(against), name), settings)


def _stored(version: ModelVersion, paths: Paths) -> Profile:
    with store_errors(paths):
        profile = read_stored_profile(version)
    if profile is None:
        raise UserError(
            f"{label_of(version)} has no profile of its corpus: an earlier release registered it; `s2s register` keeps that of new "
            "versions"
        )
    return profile


def _compare(old: Profile, new: Profile, labels: tuple[str, str], settings: Settings) -> DriftReport:
    section = settings.register_.drift
    report = compare_profiles(old, new, labels, section.alpha, section.minimal_effect)
    if report.trouble:
        raise UserError(report.trouble)
    return report
