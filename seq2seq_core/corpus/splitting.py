"""Leak-free splits: the split of a pair depends on its source alone."""

from __future__ import annotations

from seq2seq_core.corpus.normalization import digest, normalize_nearly


def assign_split(source: str, dev_fraction: float, test_fraction: float, salt: str = "") -> str:
    """The split of a pair: ``train``, ``dev`` or ``test``.

    It depends only on the source and the arguments, so a growing corpus never moves a pair. Sources that differ only in case,
    punctuation or spaces share a split. Test takes one end of the hash's range and dev the other. So a larger fraction only adds to
    its split, and a change of one fraction never moves a pair out of the other split.

    Args:
        source: the source text.
        dev_fraction: share of the different sources that is dev.
        test_fraction: share of the different sources that is test.
        salt: another text gives other splits.
    """
    return split_of_form(normalize_nearly(source), dev_fraction, test_fraction, salt)


def split_of_form(form: str, dev_fraction: float, test_fraction: float, salt: str = "") -> str:
    """The split of all pairs whose sources have one form.

    Args:
        form: what :func:`~seq2seq_core.corpus.normalization.normalize_nearly` makes of them.
        dev_fraction: share of the different sources that is dev.
        test_fraction: share of the different sources that is test.
        salt: another text gives other splits.
    """
    position = digest(salt, form) / 2**64
    if position < test_fraction:
        return "test"
    return "dev" if position >= 1 - dev_fraction else "train"
