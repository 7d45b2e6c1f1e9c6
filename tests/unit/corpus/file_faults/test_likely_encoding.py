"""Encodings are guessed from the bytes, and the command in the message mends the file."""

from __future__ import annotations

import gzip
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from seq2seq_core.corpus.file_faults.likely_encoding import find_encoding
from seq2seq_core.corpus.lines import CorpusFile, decode_lines
from seq2seq_core.errors import CorpusError
from tests.unit.corpus.conftest import ReadTrain, WriteFile

TEXTS = {
    "cp1252": "Der Hund läuft über die Straße, und die Kätzchen mögen Süßes.",
    "cp1250": "Zażółć gęślą jaźń. Książka leży na półce, a chłopiec śpi.",
    "cp1251": "Мальчик читает книгу в большом доме у реки.",
    "koi8_r": "Мальчик читает книгу в большом доме у реки.",
    "cp1253": "Το αγόρι διαβάζει ένα βιβλίο στο σπίτι.",
    "cp1256": "الولد يقرأ كتابا في البيت الكبير قرب النهر.",
    "cp932": "今日はとても天気がいいので、公園に行きました。",
    "gb18030": "今天天气很好，我们去公园散步吧。",
    "big5": "今天天氣很好，我們去公園散步吧。",
    "cp949": "오늘은 날씨가 좋아서 공원에 갔습니다.",
}


@pytest.mark.parametrize("codec", TEXTS)
def test_an_encoding_is_known_by_its_bytes(codec: str) -> None:
    found = find_encoding([f"{TEXTS[codec]} {number}\n".encode(codec) for number in range(20)])
    assert (found.codec, found.num_utf8, found.num_others) == (codec, 0, 20)


@pytest.mark.skipif(shutil.which("iconv") is None, reason="iconv is not installed")
@pytest.mark.parametrize("name", ["my corpus's file.tsv", "packed file.tsv.gz", "sheet.tsv"])
@pytest.mark.parametrize("codec", ["cp1252", "koi8_r", "utf-16"])
def test_the_command_in_the_message_mends_the_file(
    tmp_path: Path, write_file: WriteFile, read_train: ReadTrain, name: str, codec: str
) -> None:
    text = TEXTS.get(codec, TEXTS["cp1251"])
    data = ("source\ttarget\n" + f"a\t{text}\n" * 20).encode(codec)
    path = write_file(name, gzip.compress(data) if name.endswith(".gz") else data)
    with pytest.raises(CorpusError) as caught:
        read_train(name)
    command = re.findall("`(.*)`", str(caught.value))[-1]
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    converted = (tmp_path / "converted").read_bytes()
    path.write_bytes(gzip.compress(converted) if name.endswith(".gz") else converted)
    assert {row.target for row in read_train(name)} == {text}


def test_bytes_that_are_no_text_get_no_advice_to_convert_them(write_file: WriteFile, read_train: ReadTrain) -> None:
    noise = random.Random(4).randbytes(4000).replace(b"\0", b"\1").replace(b"\n", b"\1")
    write_file("c.tsv", b"source\ttarget\n" + noise)
    with pytest.raises(CorpusError, match="expected UTF-8 text: these bytes are text in no encoding") as caught:
        read_train("c.tsv")
    assert "iconv" not in str(caught.value)


def test_a_broken_line_among_lines_of_utf8_is_no_reason_to_convert_the_file(write_file: WriteFile, read_train: ReadTrain) -> None:
    write_file("c.tsv", b"source\ttarget\n" + "ä\tö\n".encode() * 5 + b"\xe4\tb\n")
    with pytest.raises(CorpusError) as caught:
        read_train("c.tsv")
    message = str(caught.value)
    assert message.startswith("corpus/c.tsv:7: not UTF-8: byte 0xE4 at offset 44 (invalid continuation byte)")
    assert message.endswith("; expected UTF-8, which the other lines are: mend or remove the broken lines")


def test_lines_that_cannot_be_read_twice_are_judged_alone() -> None:
    stream = [b"fine\n", "Straße und Kätzchen\n".encode("cp1252")]
    with pytest.raises(
        CorpusError, match="it is likely CP1252, which reads 'Straße und Kätzchen' here: `iconv -f CP1252 -t UTF-8 FILE"
    ):
        list(decode_lines(CorpusFile(Path("standard input"), "", "standard input", "FILE"), stream))
