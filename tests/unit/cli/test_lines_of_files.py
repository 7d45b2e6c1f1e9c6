"""Lines that name recordings or pictures: a bad one is named by its line, and those before it are answered."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest

from seq2seq_core.audio.front_end import FrontEnd
from seq2seq_core.audio.sound_file import write_wav
from seq2seq_core.cli.line_streams import read_chunks
from seq2seq_core.cli.lines.answered_chunk import Chunk, answer_chunk, locate_fault
from seq2seq_core.config.tokenize import AudioSettings
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import CorpusError, SourceError
from seq2seq_core.frames.frame_reader import FrameReader


def test_those_before_a_bad_file_are_answered_and_its_line_is_named(tmp_path: Path) -> None:
    write_wav(tmp_path / "good.wav", np.full(4000, 0.1, dtype=np.float32), 8000)
    reader = FrameReader(FrontEnd(sample_rate=8000, settings=AudioSettings(num_mels=8)), tmp_path)
    names = ["good.wav", "good.wav", "no.wav", "good.wav", "x" * 300]
    chunk = Chunk(names, None, [{} for _ in names], done=64)
    answers, fault = answer_chunk(chunk, lambda part: [len(reader.read(name)) for name in part.sources])
    assert len(answers) == 2
    assert isinstance(fault, SourceError)
    located = locate_fault(fault, chunk, len(answers), None, cast(Predictor, None))
    assert str(located).startswith(f"standard input:67: {tmp_path / 'no.wav'}: no such file")
    with pytest.raises(SourceError) as caught:
        reader.read(names[-1])
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "a PNG picture"),
        (b"RIFF\x24\x08\0\0WAVEfmt ", "a WAV recording"),
        (b"PK\x03\x04", "a ZIP archive"),
    ],
)
def test_a_file_in_place_of_a_list_of_files_is_told_to_be_one(head: bytes, name: str, tmp_path: Path) -> None:
    path = tmp_path / "one file"
    with pytest.raises(CorpusError, match=name) as caught:
        list(read_chunks([head], path, 8))
    assert "iconv" not in str(caught.value)
    assert list(read_chunks([b"RIFF raff\n", b"fla\n"], path, 8)) == [["RIFF raff", "fla"]]
