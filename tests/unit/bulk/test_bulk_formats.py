"""Every format in and out: rows in order, every column kept, errors in the rows' own fields."""

from __future__ import annotations

import datetime
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.bulk import decoded_shards, input_survey, parquet_blocks
from seq2seq_core.bulk.bulk_request import BulkRequest
from seq2seq_core.bulk.bulk_run import run_bulk
from seq2seq_core.bulk.job_manifest import read_manifest
from seq2seq_core.bulk.row_block import BulkRow, RowBlock
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.parquet_file import ParquetField
from seq2seq_core.corpus.tables import csv_records
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import CorpusError, UserError
from seq2seq_core.serving.loading import find_model

from .conftest import Run, Shown, select

DAY = datetime.date(2031, 5, 3)


def read_json(path: Path) -> list[dict[str, Any]]:
    data = path.read_bytes()
    text = gzip.decompress(data) if path.suffix == ".gz" else data
    return [json.loads(line) for line in text.decode().splitlines()]


def test_parquet_keeps_its_columns_and_types_and_is_read_by_pandas_and_duckdb(tmp_path: Path, run_mirrored: Run) -> None:
    rows = [
        {"id": number, "when": DAY, "nested": {"text": f"row {number}" if number != 3 else None}, "language": "de"}
        for number in range(7)
    ]
    table = pa.Table.from_pylist(rows).replace_schema_metadata({"made": "by hand"})
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=2)
    summary = run_mirrored(tmp_path / "in.parquet", source_column="nested.text", shard_rows=5)
    names = ["in-00000.parquet", "in-00001.parquet"]
    assert [path.name for path in sorted((tmp_path / "out").glob("*.parquet"))] == names
    first = pq.read_table(tmp_path / "out" / names[0])
    assert first.drop_columns([name for name in first.column_names if name.startswith("prediction")]).equals(table.slice(0, 5))
    origin = json.loads(first.schema.metadata[b"s2s"])
    assert (first.schema.metadata[b"made"], origin["model"], origin["bundle_digest"], origin["engine"]) == (
        b"by hand", summary.model, summary.bundle_digest, "mirror",
    )  # fmt: skip
    frame = pd.read_parquet(tmp_path / "out")
    assert frame["prediction"].dropna().tolist() == [f"{number} worde" for number in (0, 1, 2, 4, 5, 6)]
    found = select(f"SELECT id, prediction_error, prediction_score FROM '{tmp_path}/out/*.parquet' ORDER BY id").fetchall()
    assert found[3] == (3, "expected a text in 'nested.text', got null", None)
    assert [row[0] for row in found] == list(range(7))
    assert (summary.num_rows, summary.num_errors, summary.num_shards) == (7, 1, 2)


def test_a_block_of_many_batches_keeps_every_row(tmp_path: Path, run_mirrored: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_blocks, "PARQUET_BATCH_ROWS", 2)
    joined: list[int] = []
    unjoined = ParquetField.values

    def values(field: ParquetField, batch: Any) -> list[object]:
        joined.append(batch.num_rows)
        return unjoined(field, batch)

    monkeypatch.setattr(ParquetField, "values", values)
    pq.write_table(pa.table({"source": [f"row {number}" for number in range(11)]}), tmp_path / "in.parquet")
    summary = run_mirrored(tmp_path / "in.parquet", shard_rows=5)
    assert (summary.num_rows, max(joined)) == (11, 2), "batches of more than 2 GiB of text cannot be joined"
    found = select(f"SELECT prediction FROM '{tmp_path}/out/*.parquet' ORDER BY ALL").fetchall()
    assert found == sorted((f"row {number}"[::-1],) for number in range(11))


def test_rows_that_are_lost_while_reading_end_the_job(tmp_path: Path, run_mirrored: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(pa.table({"source": ["a", "b", "c"]}), tmp_path / "in.parquet")
    (tmp_path / "in.txt").write_text("a\nb\nc\n")
    whole = parquet_blocks._block
    with monkeypatch.context() as patched:
        patched.setattr(parquet_blocks, "_block", lambda *given, **named: RowBlock(whole(*given, **named).rows[1:]))
        with pytest.raises(CorpusError, match=r"in\.parquet: expected 3 rows, as the file's metadata say, got 2"):
            run_mirrored(tmp_path / "in.parquet")
    monkeypatch.setattr(decoded_shards, "read_blocks", lambda *_: iter([RowBlock([BulkRow({"source": "a"})] * 2)]))
    with pytest.raises(CorpusError, match=r"in\.txt: had 3 rows when it was read first, and has 2 or more now"):
        run_mirrored(tmp_path / "in.txt", shard_rows=2)
    found = read_manifest(tmp_path / "out")
    assert found is not None
    assert not found.is_complete


def test_rows_of_text_files_that_cannot_be_read_have_their_error_and_the_others_their_prediction(
    tmp_path: Path, run_mirrored: Run
) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.jsonl").write_bytes(
        b'{"source": "ab", "n": 1.5, "list": [1]}\n{"n": 3, "source": "wr\n{"n": 2}\n{"source": 7}\n'
        b'{"source": "c\xff"}\n{"source": "wrong"}\n'
    )
    (folder / "b.tsv.gz").write_bytes(gzip.compress(b"id\tsource\n1\tab\n2\n3\tcd\n"))
    (folder / "c.csv").write_text('source,note\n"a,b","x ""y"" z"\n"c\nd",\n"left"x,1\nef,g\n')
    (folder / "deep" / "d.txt").write_text("ab\tc\n\n")
    (folder / "notes.md").write_text("no input\n")
    (folder / "empty.jsonl").touch()
    summary = run_mirrored(folder)
    out = tmp_path / "out"
    first = read_json(out / "a-00000.jsonl")
    assert first[0] == {
        "source": "ab", "n": 1.5, "list": [1],
        "prediction": "ba", "prediction_score": -0.5, "prediction_is_cut": False, "prediction_source_is_cut": False,
        "prediction_error": None,
    }  # fmt: skip
    errors = [row["prediction_error"] for row in first]
    assert errors[1].startswith("not valid JSON (")
    assert errors[2:4] == ["expected a text in 'source', got null", "expected a text in 'source', got int"]
    assert errors[4].startswith("not UTF-8: byte 0xFF")
    assert errors[5] == "cannot be mirrored"
    assert (first[1]["n"], first[2]["n"], first[3]["source"]) == (3, 2, 7), "a row with an error keeps its columns"
    table = gzip.decompress((out / "b-00000.tsv.gz").read_bytes()).decode().splitlines()
    assert table[:2] == [
        "id\tsource\tprediction\tprediction_score\tprediction_is_cut\tprediction_source_is_cut\tprediction_error",
        "1\tab\tba\t-0.5\tfalse\tfalse\t",
    ]
    assert (table[2].split("\t")[0], table[2].split("\t")[-1], table[3].split("\t")[:3]) == (
        "2",
        "expected 2 columns (id, source), got 1: '2'",
        ["3", "cd", "dc"],
    )
    frame = pd.read_csv(out / "c-00000.csv", keep_default_na=False)
    assert frame["source"].tolist() == ["a,b", "c\nd", "leftx", "ef"], "a broken row keeps what can be read"
    assert frame["prediction"].tolist() == ["b,a", "d\nc", "", "fe"]
    assert frame["note"].tolist() == ['x "y" z', "", "1", "g"]
    assert "is not valid CSV" in frame["prediction_error"][2]
    assert [row["prediction"] for row in read_json(out / "deep" / "d-00000.jsonl")] == ["c\tba", ""]
    assert not (out / "empty-00000.jsonl").exists()
    assert (summary.num_rows, summary.num_errors, summary.num_files) == (15, 7, 5)
    assert summary.first_error.startswith("row 2 of a-00000.jsonl: not valid JSON")


def test_a_csv_record_that_is_too_long_is_one_row_and_the_next_rows_are_read(
    tmp_path: Path, run_mirrored: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "line of text\n" * 11_000  # the csv module's own limit is 131,072 characters
    (tmp_path / "in.csv").write_text(f'id,source\n1,"{long}"\n2,b\n3,"x"y,"two\nlines"\n4,d\n5,"open\n6,f\n')
    run_mirrored(tmp_path / "in.csv", output_format="jsonl")
    rows = read_json(tmp_path / "out" / "in-00000.jsonl")
    assert [(row["id"], row["source"]) for row in rows] == [("1", long), ("2", "b"), ("3", "xy"), ("4", "d"), ("5", None)]
    assert [bool(row["prediction_error"]) for row in rows] == [False, False, True, False, True]
    monkeypatch.setattr(csv_records, "MAX_RECORD_CHARACTERS", 100_000)
    for end in ("2,b\n", ""):
        (tmp_path / "in.csv").write_text(f'id,source\n1,"{long}"\n{end}')
        run_mirrored(tmp_path / "in.csv", output_format="csv", restarts=True)
        frame = pd.read_csv(tmp_path / "out" / "in-00000.csv", keep_default_na=False, dtype=str)
        assert list(frame)[:3] == ["id", "source", "prediction"], "the columns are those of the header"
        assert frame.iloc[0, :3].tolist() == ["1", "", ""]
        assert "(it is longer than 100,000 characters; is a quotation mark not closed?)" in frame["prediction_error"][0]
        assert frame["prediction"].tolist()[1:] == ["b"] * bool(end)


def test_json_lines_become_parquet_with_columns_of_what_their_values_have_in_common(tmp_path: Path, run_mirrored: Run) -> None:
    rows: list[dict[str, Any]] = [
        {"source": "ab", "whole": 1, "number": 1, "flag": True, "mixed": "a"},
        {"source": "cd", "whole": None, "number": 0.5, "flag": False, "mixed": [1], "late": "x"},
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run_mirrored(tmp_path / "in.jsonl", output_format="parquet", output_column="reading")
    found = select(f"SELECT * FROM '{tmp_path}/out/in-00000.parquet'")
    types = dict(zip(found.columns, map(str, found.types), strict=True))
    assert types == {
        "source": "VARCHAR", "whole": "BIGINT", "number": "DOUBLE", "flag": "BOOLEAN", "mixed": "VARCHAR", "late": "VARCHAR",
        "reading": "VARCHAR", "reading_score": "DOUBLE", "reading_is_cut": "BOOLEAN",
        "reading_source_is_cut": "BOOLEAN", "reading_error": "VARCHAR",
    }  # fmt: skip
    assert found.fetchall() == [
        ("ab", 1, 1.0, True, "a", None, "ba", -0.5, False, False, None),
        ("cd", None, 0.5, False, "[1]", "x", "dc", -0.5, False, False, None),
    ]


@pytest.mark.parametrize(
    "values", [[1 << 53, 0.5], [1 - (1 << 54), 0.5], [0.5, None, -(1 << 60)], [(1 << 53) + 1, 2], [1 << 63, 1]]
)
def test_integers_of_any_size_become_parquet_as_they_are(tmp_path: Path, run_mirrored: Run, values: list[Any]) -> None:
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"source": "ab", "id": value}) + "\n" for value in values))
    run_mirrored(tmp_path / "in.jsonl", output_format="parquet")
    found = pq.read_table(tmp_path / "out" / "in-00000.parquet")["id"].to_pylist()
    assert [json.loads(value) if isinstance(value, str) else value for value in found] == values


def test_rows_that_arrow_cannot_hold_are_an_error_that_names_the_shard(
    tmp_path: Path, run_mirrored: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.jsonl").write_text('{"source": "ab"}\n')
    monkeypatch.setattr(input_survey, "_kind", lambda _: "integer")
    with pytest.raises(UserError, match=r"in-00000\.parquet: cannot be written as Parquet \("):
        run_mirrored(tmp_path / "in.jsonl", output_format="parquet")


def test_parquet_becomes_text(tmp_path: Path, run_mirrored: Run) -> None:
    pq.write_table(pa.table({"source": ["ab"], "when": [DAY], "list": [[1, 2]]}), tmp_path / "in.parquet")
    run_mirrored(tmp_path / "in.parquet", output_format="tsv")
    lines = (tmp_path / "out" / "in-00000.tsv").read_text().splitlines()
    assert lines[1].split("\t")[:4] == ["ab", "2031-05-03", "[1, 2]", "ba"]


def test_tags_come_from_the_columns_of_a_row_or_from_those_of_all(tmp_path: Path, run_mirrored: Run) -> None:
    (tmp_path / "in.jsonl").write_text('{"source": "ab", "language": "en"}\n{"source": "cd"}\n')
    run_mirrored(tmp_path / "in.jsonl", tags={"language": "de"})
    assert [row["prediction"] for row in read_json(tmp_path / "out" / "in-00000.jsonl")] == ["baen", "dcde"]


@pytest.mark.parametrize(
    ("name", "content", "fields", "message"),
    [
        ("a.tsv", b"text\tid\na\t1\n", {}, "a.tsv:1: no column 'source'; the columns are 'text', 'id'; expected --column to be"),
        ("a.jsonl", b'{"text": "a"}\n', {}, "a.jsonl: no column 'source'; the columns are 'text'; expected --column to be"),
        ("a.csv", b"source,source\na,b\n", {}, "a.csv:1: two columns have the same name"),
        ("a.tsv", b"source\tprediction\na\tb\n", {}, "a.tsv: has a column 'prediction' of its own; --output-column gives"),
        ("a.tsv.gz", gzip.compress(b"source\na\n" * 999, mtime=0)[:-9], {}, "a.tsv.gz: the gzip data ends too early"),
        ("a.parquet", b"PAR1", {}, "a.parquet: not a Parquet file that can be read"),
        ("a.xlsx", b"PK", {}, "a.xlsx: an Excel workbook, which is not read"),
        ("a.txt", b"a\n", {"output_format": "xml"}, "--format: must be one of parquet, jsonl, tsv, csv, jsonl.gz, tsv.gz, csv.gz"),
        ("a.txt", b"a\n", {"tags": {"lang": "de"}}, "--tag: must name a tag that the model takes ('language'), got 'lang'"),
    ],
)
def test_what_no_row_can_mend_ends_the_job_before_anything_is_decoded(
    tmp_path: Path, run_mirrored: Run, name: str, content: bytes, fields: dict[str, Any], message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        run_mirrored(tmp_path / name, **fields)
    assert message in str(caught.value)


def test_inputs_that_would_mix_with_the_output_or_with_one_another_are_refused(tmp_path: Path, run_mirrored: Run) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        run_mirrored(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="must be a file or folder, got a pipe or device"):
        run_mirrored(tmp_path / "pipe")
    with pytest.raises(UserError, match=r"--into: must be a folder outside of the input"):
        run_mirrored(tmp_path)
    (tmp_path / "a.tsv").write_text("source\na\n")
    (tmp_path / "a.jsonl").write_text('{"source": "a"}\n')
    with pytest.raises(UserError, match="its shards would have the names of those of"):
        run_mirrored(tmp_path / "a.tsv", tmp_path / "a.jsonl")
    (tmp_path / "in").mkdir()
    with pytest.raises(UserError, match="holds no file to read"):
        run_mirrored(tmp_path / "in")


def test_a_parquet_column_that_holds_no_texts_is_refused(tmp_path: Path, run_mirrored: Run) -> None:
    pq.write_table(pa.table({"source": [1]}), tmp_path / "in.parquet")
    with pytest.raises(CorpusError, match="expected text in the column 'source', got int64"):
        run_mirrored(tmp_path / "in.parquet")


def test_a_recording_that_cannot_be_read_is_an_error_of_its_row(
    audio_template: tuple[Paths, Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, _ = audio_template
    monkeypatch.chdir(paths.root / "corpus")
    names = ["test 0.wav", "nowhere.wav", "test.tsv", "test 1.wav"]
    (tmp_path / "names.txt").write_text("".join(f"{name}\n" for name in names))
    request = BulkRequest((tmp_path / "names.txt",), tmp_path / "out", device="cpu", workers=1)
    run_bulk(request, find_model(str(paths.served), paths), DecodingOptions(), Shown())
    rows = read_json(tmp_path / "out" / "names-00000.jsonl")
    assert "nowhere.wav: no such" in rows[1]["prediction_error"]
    assert "test.tsv" in rows[2]["prediction_error"]
    predictor = Predictor.from_folder(paths.served)
    expected = [one.text for one in predictor.predict([names[0], names[3]], DecodingOptions())]
    assert [rows[0]["prediction"], rows[3]["prediction"]] == expected
