"""The profile of a registered version's corpus, and the vocabulary by which other texts are counted like it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.config_file import SOURCE_FILE, TARGET_FILE
from seq2seq_core.drift.corpus_profile import PROFILE_FILE, Profile, parse_profile
from seq2seq_core.drift.side_counter import PieceModel
from seq2seq_core.drift.text_sample import sample_pairs, with_pieces
from seq2seq_core.registry.bundles import download_bundle
from seq2seq_core.registry.stored_model import download_file, label_of
from seq2seq_core.tokenization.subword import SubwordModel

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


def read_stored_profile(version: ModelVersion) -> Profile | None:
    """The profile that a version keeps; None: an earlier release registered it.

    Args:
        version: as the registry gives it.

    Raises:
        UserError: it cannot be read.
    """
    content = download_file(version, PROFILE_FILE)
    return None if content is None else parse_profile(content, f"{label_of(version)}: {PROFILE_FILE}")


def read_own_profile(paths: Paths) -> Profile | None:
    """The profile of the workspace's tokenised corpus; None: there is none.

    Args:
        paths: the workspace; reads ``reports/corpus_profile.json``.

    Raises:
        UserError: it cannot be read.
    """
    file = paths.corpus_profile
    return parse_profile(file.read_bytes(), str(file)) if file.is_file() else None


def count_like(version: ModelVersion, profile: Profile, paths: Paths) -> Profile:
    """The profile of the workspace's corpus with the pieces of a version's vocabulary, if the prepared corpus is there.

    Args:
        version: the registered version.
        profile: of the workspace's corpus.
        paths: the workspace; reads the prepared train set, downloads the version's bundle.

    Raises:
        BundleError: the version's bundle is missing or damaged.
    """
    train = paths.prepared_split("train")
    if not train.is_file():
        return profile
    source, target = read_piece_models(download_bundle(version, paths))
    return with_pieces(profile, sample_pairs(train), (source, target))


def read_piece_models(bundle: Path) -> tuple[PieceModel | None, PieceModel | None]:
    """The subword models of both sides of a bundle; None of a side without one.

    Args:
        bundle: its folder.
    """
    source, target = (
        SubwordModel((bundle / name).read_bytes()) if (bundle / name).is_file() else None for name in (SOURCE_FILE, TARGET_FILE)
    )
    return source, target
