"""The vocabulary that ``tokenize`` keeps instead of making one: found by its reference, and compared with the settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import check_files
from seq2seq_core.bundle.config_file import SOURCE_FILE, TARGET_FILE, BundleConfig, read_config
from seq2seq_core.config.settings import Settings
from seq2seq_core.config.tokenize import SubwordSettings, TokenizeSection
from seq2seq_core.errors import UserError
from seq2seq_core.serving.loading import find_pinned_digest, find_pinned_model
from seq2seq_core.tokenization.languages import MASK_TAG
from seq2seq_core.tokenization.special_tokens import NUM_SPECIAL
from seq2seq_core.tokenization.subword import SubwordModel


@dataclass(frozen=True)
class KeptVocabulary:
    """The vocabulary of a model.

    Attributes:
        origin: the model: ``models:/NAME/VERSION``, or the folder as the settings name it.
        digest: of its bundle.
        config: its configuration.
        source: the source side; None where the model reads recordings or pictures.
        target: the target side, the same object if both share one.
    """

    origin: str
    digest: str
    config: BundleConfig
    source: SubwordModel | None
    target: SubwordModel

    @property
    def tags(self) -> dict[str, str]:
        """Its tags for a run of MLflow."""
        return {"vocabulary": self.origin, "vocabulary_bundle_digest": self.digest}


def digest_outside_inputs(settings: Settings, paths: Paths) -> Mapping[str, str]:
    """The digest of the bundle whose vocabulary is kept; empty: none is.

    Args:
        settings: section ``tokenize``; a pinned digest is taken as it is.
        paths: the workspace, and its registry.

    Raises:
        UserError, BundleError, TrackingUnreachable: see :func:`~seq2seq_core.serving.loading.find_pinned_model`.
    """
    section = settings.tokenize
    if not section.vocabulary:
        return {}
    return {"vocabulary": find_pinned_digest(section.vocabulary, section.vocabulary_digest, "tokenize.vocabulary", paths)}


def find_kept_vocabulary(section: TokenizeSection, paths: Paths) -> KeptVocabulary:
    """The vocabulary that the settings name.

    Args:
        section: names the model; ``joint``, the sides and the tag columns must be those of the model.
        paths: the workspace; relative folders start at its root, downloads go to ``.s2s/bundles``.

    Raises:
        UserError, BundleError, TrackingUnreachable: see :func:`~seq2seq_core.serving.loading.find_pinned_model`; a UserError also
            lists what the settings say otherwise than the vocabulary.
    """
    found, origin = find_pinned_model(section.vocabulary, section.vocabulary_digest, "tokenize.vocabulary", paths)
    content = read_config(found.folder)
    check_files(found.folder, content)
    config = content.config
    target = SubwordModel.load(found.folder / TARGET_FILE)
    source = None
    if not config.frame_width:
        source = target if config.joint else SubwordModel.load(found.folder / SOURCE_FILE)
    vocabulary = KeptVocabulary(origin, found.digest, config, source, target)
    if faults := list(_differences(section, vocabulary, paths.prepared_languages())):
        listed = "\n".join(f"  {fault}" for fault in faults)
        raise UserError(f"tokenize.vocabulary: the vocabulary of {origin} is not the one that these settings describe:\n{listed}")
    return vocabulary


def _differences(section: TokenizeSection, vocabulary: KeptVocabulary, languages: Sequence[str]) -> Iterator[str]:
    """What the settings say otherwise than the vocabulary, a line each."""
    config, source = vocabulary.config, vocabulary.source
    for name, theirs in (("audio", config.audio), ("image", config.pictures)):
        is_theirs = theirs is not None or (name == "audio" and source is None and config.pictures is None)
        if is_theirs != (getattr(section, name) is not None):
            wanted, got = ("given", "no settings") if is_theirs else ("left out", "settings")
            yield f"tokenize.{name}: must be {wanted} as there, got {got}"
            return
    joint = config.joint and source is not None
    if section.joint != joint:
        yield f"tokenize.joint: must be {str(joint).lower()} as there, got {str(section.joint).lower()}"
        return
    if source is not None:
        yield from _side_differences("source", section.source, source)
    if not joint:
        yield from _side_differences("target", section.target, vocabulary.target)
    known = {"source": config.tags.source, "target": config.tags.target}
    for side, columns in (("source", section.source_tags), ("target", section.target_tags)):
        if new := [column for column in columns if column not in (config.tags.all if joint else known[side])]:
            yield f"tokenize.{side}_tags: must be columns that it has symbols for, got {', '.join(new)}"
    if languages and MASK_TAG not in vocabulary.target.tags:
        yield "corpus.monolingual: must be left out, because it lacks the symbol for hidden words"


def _side_differences(side: str, settings: SubwordSettings, model: SubwordModel) -> Iterator[str]:
    found = {"model": model.kind, "decompose": model.decomposes, "byte_fallback": bool(model.byte_ids)}
    for name, value in found.items():
        if (own := getattr(settings, name)) != value:
            yield f"tokenize.{side}.{name}: must be {_shown(value)} as there, got {_shown(own)}"
    size = model.vocabulary_size - len(model.tags)
    if settings.vocabulary_size < max(size, NUM_SPECIAL):
        yield f"tokenize.{side}.vocabulary_size: must be at least {size} as there, got {settings.vocabulary_size}"


def _shown(value: object) -> str:
    """A value as in YAML."""
    return str(value).lower() if isinstance(value, bool) else str(value)
