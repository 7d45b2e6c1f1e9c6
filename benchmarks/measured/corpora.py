"""Corpora that are composed of others."""

from __future__ import annotations

from pathlib import Path

EUTRANS, MULTI30K = "eutrans_es_en", "multi30k_en_de_tok"
TWO_LANGUAGES = {
    "train": {"es-en": (EUTRANS, "train.tsv"), "en-de": (MULTI30K, "train.tsv")},
    "dev": {"es-en": (EUTRANS, "dev.tsv"), "en-de": (MULTI30K, "dev.tsv")},
    "test": {"es-en": (EUTRANS, "test.tsv"), "en-de": (MULTI30K, "test_2016_flickr.tsv")},
}


def join_two_languages(corpora: Path, folder: Path) -> None:
    """Links the files of Spanish to English and of English to German, such as ``train.es-en.tsv``, in one folder.

    Args:
        corpora: the folder of all corpora.
        folder: the output folder, which must exist.
    """
    for split, files in TWO_LANGUAGES.items():
        for direction, (corpus, name) in files.items():
            link = folder / f"{split}.{direction}.tsv"
            link.unlink(missing_ok=True)
            link.symlink_to((corpora / corpus / name).resolve())


def two_languages_files() -> dict[str, list[dict[str, object]]]:
    """``corpus.files`` of :func:`join_two_languages`."""
    return {split: [_entry(split, direction) for direction in files] for split, files in TWO_LANGUAGES.items()}


def _entry(split: str, direction: str) -> dict[str, object]:
    source, target = direction.split("-")
    return {"file": f"{split}.{direction}.tsv", "columns": {"source_language": source, "target_language": target}}
