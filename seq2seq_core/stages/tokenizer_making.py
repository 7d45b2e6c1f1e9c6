"""The tokenisers of a corpus: subword models that train makes or that a model keeps, and the reader of recordings or pictures."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import chain

from seq2seq_core.artifacts import Paths
from seq2seq_core.audio.front_end import FrontEnd
from seq2seq_core.config.frames.picture_settings import ImageSettings
from seq2seq_core.config.tokenize import AudioSettings, TokenizeSection
from seq2seq_core.corpus.pairs import SOURCE, TARGET, iterate_pairs, iterate_sentences
from seq2seq_core.encoding.first_recording import rate_of_train
from seq2seq_core.errors import UserError
from seq2seq_core.frames.frame_reader import FrameReader
from seq2seq_core.normal_form import NormalForm
from seq2seq_core.pictures.picture_front_end import PictureFrontEnd
from seq2seq_core.recorder import Recorder
from seq2seq_core.tokenization.encode import Tokenizers
from seq2seq_core.tokenization.languages import MASK_TAG, language_columns
from seq2seq_core.tokenization.subword import train_subword
from seq2seq_core.tokenization.tags import TagColumns, collect_tags

logger = logging.getLogger(__name__)


def make_tokenizers(
    section: TokenizeSection,
    tags: TagColumns,
    normal_form: NormalForm,
    languages: Sequence[str],
    paths: Paths,
    recorder: Recorder,
) -> Tokenizers:
    """The tokenisers of both sides.

    Args:
        section: says how they are made, or whose vocabulary is kept.
        tags: the columns that become tags.
        normal_form: of the values of these columns.
        languages: those that have monolingual sentences.
        paths: the workspace; reads ``data/prepared``.
        recorder: receives the name of the model whose vocabulary is kept.

    Raises:
        MissingInput, CorpusError: train cannot be read.
        UserError: train has no text, a vocabulary is too small or not the one that the settings describe, a recording or
            picture cannot be used, or a mel band is empty.
        BundleError, TrackingUnreachable: the model whose vocabulary is kept cannot be used or fetched.
    """
    reader = None
    if section.audio is not None:
        reader = FrameReader(_open_front_end(section.audio, paths), paths.prepared_files)
    elif section.image is not None:
        reader = FrameReader(PictureFrontEnd(settings=section.image), paths.prepared_files)
        logger.info("a frame of %d values for %s", reader.front_end.frame_width, _describe_frame(section.image))
    if not section.vocabulary:
        return _train_tokenizers(section, tags, normal_form, languages, paths, reader)
    # Few settings need the packages that find a model.
    from seq2seq_core.stages.kept_vocabulary import find_kept_vocabulary

    vocabulary = find_kept_vocabulary(section, paths)
    logger.info("keeping the vocabulary of %s (bundle %s)", vocabulary.origin, vocabulary.digest)
    recorder.set_tags(vocabulary.tags)
    source = reader or vocabulary.source
    assert source is not None, "recordings and pictures have a reader, texts a subword model"
    return Tokenizers(source, vocabulary.target)


def _sentences(paths: Paths, languages: Sequence[str]) -> Iterator[str]:
    """The monolingual sentences of some languages, one language after the other."""
    return chain.from_iterable(iterate_sentences(paths.prepared_sentences(language)) for language in languages)


def _texts(paths: Paths, *sides: str) -> Iterator[str]:
    """The texts of train, one side after the other."""
    return chain.from_iterable((pair[side] for pair in iterate_pairs(paths.prepared_split("train"))) for side in sides)


def _train_tokenizers(
    section: TokenizeSection,
    tags: TagColumns,
    normal_form: NormalForm,
    languages: Sequence[str],
    paths: Paths,
    reader: FrameReader | None,
) -> Tokenizers:
    logger.info("making the subword models from train")
    if reader is not None:
        target_tags = _collect_tags(paths, tags.target, tags.separator, normal_form)
        return Tokenizers(reader, train_subword(_texts(paths, TARGET), section.target, "tokenize.target", target_tags))
    if section.joint:
        texts = chain(_texts(paths, SOURCE, TARGET), _sentences(paths, languages))
        symbols = _collect_tags(paths, tags.all, tags.separator, normal_form, languages) + ([MASK_TAG] if languages else [])
        model = train_subword(texts, section.source, "tokenize.source", symbols)
        return Tokenizers(model, model)
    source_tags, target_tags = (
        _collect_tags(paths, columns, tags.separator, normal_form) for columns in (tags.source, tags.target)
    )
    return Tokenizers(
        train_subword(_texts(paths, SOURCE), section.source, "tokenize.source", source_tags),
        train_subword(_texts(paths, TARGET), section.target, "tokenize.target", target_tags),
    )


def _open_front_end(settings: AudioSettings, paths: Paths) -> FrontEnd:
    """The audio front end, at the first recording's sample rate; ``prepare`` has checked that all recordings have it."""
    front_end = FrontEnd(sample_rate=rate_of_train(paths, SOURCE), settings=settings)
    try:
        logger.info("a frame of %d features every %g ms", front_end.frame_width, 1000 * front_end.frame_seconds)
    except ValueError as error:
        raise UserError(f"tokenize.audio.num_mels: {error}; expected fewer bands, or a longer window_ms") from None
    return front_end


def _describe_frame(image: ImageSettings) -> str:
    """What a frame of a picture is, in words."""
    if image.layout == "columns":
        return f"every {image.columns} columns of {image.height} pixels"
    rows, columns = image.grid
    return f"each of {rows} × {columns} patches"


def _collect_tags(
    paths: Paths, columns: Sequence[str], separator: str, normal_form: NormalForm, languages: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """The tags in columns of train, and those of the languages of monolingual sentences."""
    rows = chain(iterate_pairs(paths.prepared_split("train")), (language_columns(language, language) for language in languages))
    return collect_tags(rows, columns, separator, normal_form) if columns else []
