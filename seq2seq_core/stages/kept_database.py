"""The database from which the next run of a stage goes on: when there is one, and what it depends on besides the corpus."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Iterable

from seq2seq_core.artifacts import Paths
from seq2seq_core.code_digests.package_digest import digest_package, find_version
from seq2seq_core.code_digests.settings_values import values_in_use
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.reading import SplitReader
from seq2seq_core.corpus.rows.earlier_rows import KeptRows
from seq2seq_core.reproducibility import digest
from seq2seq_core.stage_table import find_stage

LIBRARIES = ("duckdb", "pyarrow", "ftfy", "py3langid", "babel")
"""Whose versions may change what is kept of a row."""


def find_kept_rows(stage: str, settings: Settings, paths: Paths, readers: Iterable[SplitReader]) -> KeptRows | None:
    """The database of a stage's last run; None: nothing is kept, by the settings or because there is more than pairs of texts.

    Args:
        stage: its name.
        settings: its sections, and ``runtime``.
        paths: the workspace; databases are kept in ``.s2s/kept_rows``.
        readers: of the splits.
    """
    folder, corpus = paths.kept_rows / stage, settings.corpus
    names_files = len(corpus.text_sides) < 2
    if not settings.runtime.incremental or names_files or corpus.monolingual or corpus.conversations is not None:
        shutil.rmtree(folder, ignore_errors=True)
        return None
    # Which files there are, the record says: a new one may come behind the others. Splits without files are carved out of train.
    sections = {name: values_in_use(settings.section_named(name)) for name in find_stage(stage).sections}
    sections["corpus"].pop("files", None)
    own_readers = list(readers)
    with_files = sorted(reader.split for reader in own_readers if reader.entries)
    libraries = [unicodedata.unidata_version, *map(find_version, LIBRARIES)]
    key = digest([stage, sections, with_files, digest_package(), libraries])
    return KeptRows(folder, key, own_readers)
