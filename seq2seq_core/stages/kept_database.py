"""The database from which the next run of a stage goes on: when there is one, and what it depends on besides the corpus."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Iterable
from importlib.metadata import version

from seq2seq_core.artifacts import SPLITS, Paths
from seq2seq_core.code_digests.stage_digest import digest_stage
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.reading import SplitReader
from seq2seq_core.corpus.rows.kept_rows import KeptRows
from seq2seq_core.reproducibility import digest
from seq2seq_core.stage_table import find_stage


def find_kept_rows(stage: str, settings: Settings, paths: Paths, readers: Iterable[SplitReader]) -> KeptRows | None:
    """The database of a stage's last run; None: the corpus has more than pairs of texts, and nothing is kept.

    Args:
        stage: its name.
        settings: its sections.
        paths: the workspace; databases are kept in ``.s2s/kept_rows``.
        readers: of the splits.
    """
    folder, corpus = paths.kept_rows / stage, settings.corpus
    if corpus.source_kind != "text" or corpus.monolingual or corpus.conversations is not None:
        shutil.rmtree(folder, ignore_errors=True)
        return None
    # Which files there are, the record says: a new one may come behind the others. Splits without files are carved out of train.
    named = corpus.files.model_copy(update={split: [] for split in SPLITS})
    without_names = settings.model_copy(update={"corpus": corpus.model_copy(update={"files": named})})
    own_readers = list(readers)
    with_files = sorted(reader.split for reader in own_readers if reader.entries)
    libraries = [unicodedata.unidata_version, *map(version, ("duckdb", "pyarrow"))]
    key = digest([digest_stage(find_stage(stage), without_names), with_files, libraries])
    return KeptRows(folder, key, own_readers)
