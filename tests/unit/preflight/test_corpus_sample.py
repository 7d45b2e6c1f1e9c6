"""The sample of a corpus has rows from everywhere, the longest ones, and settings that read it as the corpus was read."""

from __future__ import annotations

from pathlib import Path

from seq2seq_core.config.corpus import CorpusSection
from seq2seq_core.corpus.reading import SplitReader
from seq2seq_core.corpus.rows.plain_blocks import iterate_blocks
from seq2seq_core.preflight.corpus_sample import LONGEST_ROWS, take_sample, write_sample


def write_corpus(folder: Path, rows: int) -> CorpusSection:
    folder.mkdir()
    lines = [f'"{number}, ""q""";{"x" * (900 if number == rows - 5 else 3)};{number % 7}\n' for number in range(rows)]
    (folder / "train.csv").write_text("s;t;group\n" + "".join(lines))
    (folder / "dev.csv").write_text("s;t;group\na;b;1\n")
    return CorpusSection.model_validate(
        {
            "path": folder.name, "files": {"train": [{"file": "train.csv", "columns": {"origin": "web"}}], "dev": ["dev.csv"]},
            "delimiter": ";", "source_column": "s", "target_column": "t",
        }
    )  # fmt: skip


def test_a_sample_is_read_with_its_own_settings_and_keeps_the_longest_row(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "raw", 3000)
    samples = take_sample(corpus, tmp_path, 200)
    assert {split: (sample.rows, sample.is_whole) for split, sample in samples.items()} == {"train": (3000, True), "dev": (1, True)}
    own = write_sample(samples, corpus, tmp_path, tmp_path / "sample")
    rows = list(SplitReader(own, tmp_path / "sample", "train"))
    whole = {(row.source, row.target, tuple(row.columns.items())) for row in SplitReader(corpus, tmp_path, "train")}
    found = [(row.source, row.target, tuple(row.columns.items())) for row in rows]
    assert 200 <= len(found) <= 200 + LONGEST_ROWS
    assert len({*found}) == len(found)
    assert {*found} <= whole
    assert max(len(row.target) for row in rows) == 900
    numbers = [int(row.source.partition(",")[0]) for row in rows]
    assert numbers == sorted(numbers)
    thirds = [sum(low <= number < low + 1000 for number in numbers) for low in (0, 1000, 2000)]
    assert min(thirds) > 35, thirds  # evenly from the whole corpus: 67 each are expected
    assert 30 <= len(samples["train"].part(40).sampled) <= 40


def test_a_corpus_that_is_read_in_blocks_has_a_sample_that_is(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "train.tsv").write_text('"a\tb\n# c\td\n')
    corpus = CorpusSection.model_validate({"path": "raw", "header": False, "files": {"train": ["train.tsv"]}})
    own = write_sample(take_sample(corpus, tmp_path, 3), corpus, tmp_path, tmp_path / "sample")
    reader = SplitReader(own, tmp_path / "sample", "train")
    (block,) = iterate_blocks(reader, reader.entries[0])
    assert [block.texts[name].to_pylist() for name in ("source", "target")] == [['"a', "# c"], ["b", "d"]]


def test_the_recordings_of_a_sample_are_there_whichever_side_names_them(tmp_path: Path) -> None:
    for kind in ("source_kind", "target_kind"):
        (folder := tmp_path / kind).mkdir()
        pairs = [(f"a/{number}.wav", f"text {number}") for number in range(6)]
        for name, _ in pairs:
            (folder / "a").mkdir(exist_ok=True)
            (folder / name).write_bytes(name.encode())
        rows = ["\t".join(pair if kind == "source_kind" else pair[::-1]) for pair in pairs]
        (folder / "train.tsv").write_text("source\ttarget\n" + "".join(f"{row}\n" for row in rows))
        corpus = CorpusSection.model_validate({"path": kind, kind: "audio", "files": {"train": ["train.tsv"]}})
        write_sample(take_sample(corpus, tmp_path, 3), corpus, tmp_path, tmp_path / f"sample of {kind}")
        linked = {path.name: path.read_bytes() for path in (tmp_path / f"sample of {kind}" / "raw" / "a").iterdir()}
        assert linked
        assert all(content == f"a/{name}".encode() for name, content in linked.items())
