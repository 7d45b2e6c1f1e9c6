"""The pairs of dev or test that are scored, and the digest that names them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from seq2seq_core.config.evaluate import EvaluateSection
from seq2seq_core.corpus.pairs import iterate_pairs
from seq2seq_core.evaluation.several_references import put_together
from seq2seq_core.reproducibility import digest
from seq2seq_core.tokenization.manifest import file_digest


def read_scored(path: Path, section: EvaluateSection, max_rows: int) -> list[dict[str, str]]:
    """The first pairs of a prepared file as they are scored: each a row of its own, or those of a question put together.

    Args:
        path: the prepared file, of dev or test.
        section: ``references``.
        max_rows: most rows; 0: all.

    Raises:
        MissingInput: there is no such file.
        CorpusError: a line of it is no pair.
    """
    pairs: Iterable[dict[str, str]] = iterate_pairs(path)
    return list(islice(put_together(pairs) if section.references == "together" else pairs, max_rows or None))


def digest_of_test(path: Path, section: EvaluateSection) -> str:
    """SHA-256 of the test set as it is scored.

    Args:
        path: the prepared test set.
        section: ``references``.
    """
    found = file_digest(path)
    return found if section.references == "each" else digest([found, section.references])
