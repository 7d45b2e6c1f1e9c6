"""Archives and translation memories from strangers: read within bounds, or refused by name."""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2seq_core.corpus_import import tmx_texts
from seq2seq_core.corpus_import.archives import unpack
from seq2seq_core.corpus_import.size_limit import SizeLimit
from seq2seq_core.corpus_import.tmx_texts import write_aligned
from seq2seq_core.errors import CorpusError, UserError
from tests.corpus_services import ENGLISH, GERMAN, tmx, zipped


def tar(*members: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for member, content in members:
            member.size = len(content) if member.isfile() else 0
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def link(kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo("train.tsv")
    member.type, member.linkname = kind, "/etc/passwd"
    return member


def zip_link() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        member = zipfile.ZipInfo("train.tsv")
        member.external_attr = 0o120777 << 16
        archive.writestr(member, "/etc/passwd")
    return buffer.getvalue()


def lying_zip() -> bytes:
    """It claims that ten megabytes are ten bytes."""
    content = bytearray(zipped({"train.tsv": b"a" * 10_000_000}))
    central = content.index(b"PK\1\2")
    for place in (22, central + 24):
        struct.pack_into("<I", content, place, 10)
    return bytes(content)


def claiming_tar() -> bytes:
    """Its head claims a terabyte; nothing follows."""
    member = tarfile.TarInfo("train.tsv")
    member.size = 10**12
    return lzma.compress(member.tobuf(tarfile.GNU_FORMAT) + b"\0" * 10_000)


FAULTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "above.zip": (lambda: zipped({"../train.tsv": "x"}), r"holds the name '\.\./train\.tsv'"),
    "inner.zip": (lambda: zipped({"a/../../train.tsv": "x"}), "holds the name"),
    "absolute.zip": (lambda: zipped({"/tmp/train.tsv": "x"}), "holds the name"),
    "backslash.zip": (lambda: zipped({"..\\train.tsv": "x"}), "holds the name"),
    "drive.zip": (lambda: zipped({"C:/train.tsv": "x"}), "holds the name 'C:/train.tsv'"),
    "above.tar": (lambda: tar((tarfile.TarInfo("../train.tsv"), b"x"), mode="w"), "holds the name"),
    "link.zip": (zip_link, "holds 'train.tsv', a link or a device"),
    "symbolic.tar.gz": (lambda: tar((link(tarfile.SYMTYPE), b"")), "a link or a device"),
    "hard.tar.gz": (lambda: tar((link(tarfile.LNKTYPE), b"")), "a link or a device"),
    "pipe.tar.gz": (lambda: tar((link(tarfile.FIFOTYPE), b"")), "a link or a device"),
    "bomb.zip": (lambda: zipped({"train.tsv": b"0" * 5_000_000}), "has more than the 0.001 GB that one import may take"),
    "lying.zip": (lying_zip, "cannot be unpacked"),
    "claim.tar.xz": (claiming_tar, "has more than the 0.001 GB that one import may take"),
    "many.zip": (lambda: zipped({f"{number}.txt": "" for number in range(60)}), "more files than the 50"),
    "twice.tar.gz": (lambda: tar((tarfile.TarInfo("a"), b"1"), (tarfile.TarInfo("./a"), b"2")), "a name that is taken"),
    "file_as_folder.zip": (lambda: zipped({"a": "1", "a/b": "2"}), "holds 'a/b', a name that is taken"),
    "long.zip": (lambda: zipped({"a" * 250: "1"}), "holds the name"),
    "cut.zip": (lambda: zipped({"train.tsv": "x" * 1000})[:60], r"cannot be unpacked \(File is not a zip file\)"),
    "cut.tar.gz": (lambda: tar((tarfile.TarInfo("a"), bytes(range(256)) * 99))[:200], "cannot be unpacked"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_an_archive_that_would_do_harm_is_refused(name: str, tmp_path: Path) -> None:
    make, message = FAULTS[name]
    archive, folder = tmp_path / name, tmp_path / "in" / "corpus"
    archive.write_bytes(make())
    folder.mkdir(parents=True)
    with pytest.raises(UserError, match=message) as caught:
        unpack(archive, folder, SizeLimit(1_000_000, most_files=50))
    assert name in str(caught.value)
    assert [path for path in tmp_path.rglob("train.tsv") if path.is_symlink() or not path.is_relative_to(folder)] == []
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= 1_000_000


def test_files_are_unpacked_and_hidden_ones_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"sub/train.tsv": "a\tb\n", "__MACOSX/sub/._train.tsv": "x", ".DS_Store": "x"}))
    (tmp_path / "b.tgz").write_bytes(tar((tarfile.TarInfo("./test.tsv"), b"c\td\n")))
    names = [unpack(tmp_path / name, tmp_path / "corpus", SizeLimit(100)) for name in ("a.zip", "b.tgz")]
    assert names == [["sub/train.tsv"], ["test.tsv"]]
    assert (tmp_path / "corpus" / "test.tsv").read_text() == "c\td\n"


def test_a_translation_memory_becomes_two_aligned_files(tmp_path: Path) -> None:
    german = [*GERMAN, "Zwei\u2028Zeilen &amp; <ph>&lt;b&gt;</ph>mehr", " "]
    (tmp_path / "m.tmx.gz").write_bytes(gzip.compress(tmx(german, [*ENGLISH, "Two\nlines <hi>and</hi> more", "left out"]).encode()))
    assert write_aligned(tmp_path / "m.tmx.gz", tmp_path / "m", ("de", "en"), SizeLimit(10_000)) == (["de", "en"], 1)
    assert (tmp_path / "m.de").read_text(encoding="utf-8").splitlines() == [*GERMAN, "Zwei Zeilen & mehr"]
    assert (tmp_path / "m.en").read_text(encoding="utf-8").splitlines() == [*ENGLISH, "Two lines and more"]
    assert write_aligned(tmp_path / "m.tmx.gz", tmp_path / "n", (), SizeLimit(10_000)) == (["de", "en"], 1)


def test_a_translation_memory_is_never_held_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.tmx").write_text(tmx(GERMAN * 600, ENGLISH * 600), encoding="utf-8")
    tracemalloc.start()
    try:
        write_aligned(tmp_path / "m.tmx", tmp_path / "m", ("de", "en"), SizeLimit(10_000_000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000
    monkeypatch.setattr(tmx_texts, "MOST_BYTES_A_UNIT", 100_000)
    (tmp_path / "long.tmx").write_text(tmx(["a" * 300_000], ["b"]), encoding="utf-8")
    with pytest.raises(UserError, match=r"long\.tmx: has a piece of more than 0\.1 MB"):
        write_aligned(tmp_path / "long.tmx", tmp_path / "m", ("de", "en"), SizeLimit(10_000_000))


def test_a_translation_memory_that_would_do_harm_is_refused(tmp_path: Path) -> None:
    laughs = '<!DOCTYPE tmx [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><tmx><body><tu><tuv><seg>&b;</seg></tuv></tu></body></tmx>'
    faults: list[tuple[str, bytes, type[UserError], str]] = [
        ("entities.tmx", laughs.encode(), CorpusError, "cannot be read as TMX"),
        ("bomb.tmx.gz", gzip.compress(b"<tmx>" + b" " * 5_000_000), UserError, r"more than the 0\.001 GB"),
        ("cut.tmx.gz", gzip.compress(tmx(GERMAN, ENGLISH).encode())[:90], CorpusError, "cannot be read as TMX"),
        ("html.tmx", b"<html><p>sorry", CorpusError, "cannot be read as TMX"),
        ("above.tmx", tmx(GERMAN, ENGLISH).replace('"en"', '"../en"').encode(), CorpusError, r"has the language '\.\./en'"),
        ("other.tmx", tmx(GERMAN, ENGLISH).replace('"en"', '"fr"').encode(), CorpusError, "has no unit with texts in de and en"),
    ]
    for name, content, kind, message in faults:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(kind, match=message):
            write_aligned(tmp_path / name, tmp_path / "m", () if name == "above.tmx" else ("de", "en"), SizeLimit(1_000_000))
