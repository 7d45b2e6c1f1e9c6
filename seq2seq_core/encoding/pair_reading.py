"""Reading of prepared pairs for ``tokenize``, with their tags and groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

from seq2seq_core.corpus.pairs import SOURCE, TARGET, iterate_pairs, open_prepared, parse_pairs
from seq2seq_core.errors import CorpusError, TagError
from seq2seq_core.normal_form import NormalForm
from seq2seq_core.tokenization.encode import PairChunk, Tokenizers, in_chunks
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.tokenization.tags import TagColumns, Tags

NumberedPair = tuple[int, dict[str, str]]
"""The number of a line, and its pair."""


class PairReader:
    """Makes chunks of the pairs of a prepared split.

    Args:
        path: a file that ``s2s prepare`` wrote.
        tokenizers: of the two sides.
        tags: the columns that become tags.
        normal_form: the normal form of their values.
        group_columns: the columns whose values name a pair's group.

    Attributes:
        options: what a chunk depends on besides its pairs and the tokenisers, of JSON's types.
    """

    def __init__(
        self, path: Path, tokenizers: Tokenizers, tags: TagColumns, normal_form: NormalForm, group_columns: Sequence[str]
    ) -> None:
        source_model = tokenizers.source if isinstance(tokenizers.source, SubwordModel) else None
        self.path, self._group_columns, self._has_tags = path, group_columns, bool(tags.all)
        self.options = [tags.model_dump(mode="json"), normal_form.model_dump(mode="json"), list(group_columns)]
        self._chunk_pairs = tokenizers.chunk_pairs
        self._source_tags = Tags(tags.source, source_model, tags.separator, tags.unknown, normal_form)
        self._target_tags = Tags(tags.target, tokenizers.target, tags.separator, tags.unknown, normal_form)

    def chunks(self) -> Iterator[PairChunk]:
        """All pairs; those of dev alternate between groups where there are any.

        Raises:
            MissingInput: the file does not exist.
            CorpusError: a line is no pair, lacks a column, or has a tag that train does not have.
        """
        if alternates(self.path, self._group_columns):
            for numbered in in_chunks(number_pairs(self.path, self._group_columns), self._chunk_pairs):
                yield self.chunk(numbered)
        else:
            first = 1
            with open_prepared(self.path) as file:
                for lines in in_chunks(file, self._chunk_pairs):
                    yield self.chunk(list(enumerate(parse_pairs(lines, self.path, first), start=first)))
                    first += len(lines)
        for side in (self._source_tags, self._target_tags):
            side.warn_of_ignored(self.path.stem)

    def chunk(self, numbered: Sequence[NumberedPair]) -> PairChunk:
        """A chunk of some pairs.

        Args:
            numbered: at least one.

        Raises:
            CorpusError: a pair lacks a column, or has a tag that train does not have.
        """
        pairs = [pair for _, pair in numbered]
        ids: list[tuple[list[int], list[int]]] = []
        for line, pair in numbered if self._has_tags else ():
            try:
                ids.append((self._source_tags.ids(pair), self._target_tags.ids(pair)))
            except TagError as error:
                raise CorpusError(f"{error} (tokenize.source_tags, tokenize.target_tags)", self.path, line) from None
        columns = self._group_columns
        return PairChunk(
            sources=[pair[SOURCE] for pair in pairs],
            targets=[pair[TARGET] for pair in pairs],
            source_tags=[own for own, _ in ids],
            target_tags=[own for _, own in ids],
            groups=[_group(pair, columns, self.path, line) for line, pair in numbered] if columns else (),
        )


def number_pairs(path: Path, group_columns: Sequence[str]) -> Iterable[NumberedPair]:
    """The pairs of a split with their line numbers; dev pairs alternate between groups where there are any.

    Training decodes the first sentences of dev. Without alternation they could all belong to one group.

    Args:
        path: a file that ``s2s prepare`` wrote.
        group_columns: the columns whose values name a pair's group.
    """
    pairs = enumerate(iterate_pairs(path), start=1)
    if not alternates(path, group_columns):
        return pairs
    groups: dict[str, list[NumberedPair]] = {}
    for line, pair in pairs:
        groups.setdefault(_group(pair, group_columns, path, line), []).append((line, pair))
    return (numbered for turn in zip_longest(*groups.values()) for numbered in turn if numbered is not None)


def alternates(path: Path, group_columns: Sequence[str]) -> bool:
    """Whether the pairs of a split alternate between groups."""
    return bool(group_columns) and path.stem == "dev"


def _group(pair: dict[str, str], group_columns: Sequence[str], path: Path, line: int) -> str:
    """The name of a pair's group; empty where there are no group columns."""
    if missing := [column for column in group_columns if column not in pair]:
        raise CorpusError(f"expected a column {missing[0]!r} (tokenize.group_columns), got {', '.join(pair)}", path, line)
    return " ".join(pair[column] for column in group_columns)
