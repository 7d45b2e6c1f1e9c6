"""Files of formats that are not read: named, with a command that converts them."""

from __future__ import annotations

import bz2
import io
import lzma
import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from seq2seq_core.corpus.file_faults.foreign_formats import format_of_name
from seq2seq_core.errors import CorpusError
from tests.unit.corpus.conftest import ReadTrain, WriteFile

ROWS = b"source\ttarget\na\tb\n"
TMX = """<?xml version="1.0"?><tmx version="1.4"><header/><body>
<tu><tuv xml:lang="en"><seg>one <bpt i="1"/>cat</seg></tuv><tuv xml:lang="de"><seg>eine
 Katze</seg></tuv></tu></body></tmx>"""
XLIFF = """<xliff xmlns="urn:oasis:names:tc:xliff:document:1.2" version="1.2"><file><body>
<trans-unit id="1"><source>one cat</source><target>eine Katze</target></trans-unit></body></file></xliff>"""


def _zip(*names: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            archive.writestr(name, ROWS)
    return data.getvalue()


def _tar() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        info = tarfile.TarInfo("c.tsv")
        info.size = len(ROWS)
        archive.addfile(info, io.BytesIO(ROWS))
    return data.getvalue()


BYTES = {
    "a ZIP archive": _zip("c.tsv"),
    "an Excel workbook": _zip("[Content_Types].xml", "xl/workbook.xml"),
    "compressed by xz": lzma.compress(ROWS),
    "compressed by bzip2": bz2.compress(ROWS),
    "compressed by Zstandard": b"\x28\xb5\x2f\xfd\x20\x0f" + bytes(20),
    "a tar archive": _tar(),
    "a Parquet file": b"PAR1" + bytes(40),
}


@pytest.mark.parametrize("name", BYTES)
def test_a_file_of_another_format_under_the_name_of_a_table_is_named(
    write_file: WriteFile, read_train: ReadTrain, name: str
) -> None:
    write_file("c.tsv", BYTES[name])
    with pytest.raises(CorpusError, match=rf"^corpus/c\.tsv: {name}, "):
        read_train("c.tsv")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my.zip", "a ZIP archive, which is not read; `unzip corpus/my.zip` converts it"),
        ("train.tsv.xz", "compressed by xz, which is not read; `xz -dk corpus/train.tsv.xz` converts it"),
        ("a b.xlsx", "an Excel workbook, which is not read; save the sheet as CSV UTF-8: `soffice --headless --convert-to "),
        ("c.tar.gz", "a tar archive, which is not read; `tar -xf corpus/c.tar.gz` converts it"),
    ],
)
def test_a_file_that_the_settings_name_is_refused_by_its_ending(
    write_file: WriteFile, read_train: ReadTrain, name: str, message: str
) -> None:
    write_file(name, b"any")
    with pytest.raises(CorpusError) as caught:
        read_train(name)
    assert str(caught.value).startswith(f"corpus/{name}: {message}")


@pytest.mark.parametrize(("name", "text"), [("my memory.tmx", TMX), ("done.xlf", XLIFF)])
def test_the_command_for_translation_memories_makes_a_table(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    kind = format_of_name(name)
    assert kind is not None
    command = re.findall("`(.*)`", kind.advise(name))[0]
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    assert (tmp_path / "pairs.tsv").read_text(encoding="utf-8") == "one cat\teine Katze\n"


@pytest.mark.skipif(shutil.which("xz") is None, reason="xz is not installed")
def test_the_command_for_a_compressed_file_unpacks_it(tmp_path: Path) -> None:
    (tmp_path / "a b.tsv.xz").write_bytes(lzma.compress(ROWS))
    kind = format_of_name("a b.tsv.xz")
    assert kind is not None
    subprocess.run(re.findall("`(.*)`", kind.advise("a b.tsv.xz"))[0], shell=True, cwd=tmp_path, check=True)
    assert (tmp_path / "a b.tsv").read_bytes() == ROWS
