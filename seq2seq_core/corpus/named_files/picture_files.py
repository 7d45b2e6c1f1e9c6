"""The pictures of a corpus."""

from __future__ import annotations

from pathlib import Path

from seq2seq_core.artifacts import PICTURE_FOLDER
from seq2seq_core.config.frames.picture_settings import PictureFiles
from seq2seq_core.corpus.named_files.source_files import FoundFile, SourceFiles
from seq2seq_core.corpus.pairs import PICTURE_DIGEST
from seq2seq_core.pictures.picture_file import PictureError, read_picture


class Pictures(SourceFiles):
    """The pictures of a corpus; digests are of size and pixels, upright and with 8 bits a channel.

    Args:
        folder: the folder that their names are relative to.
        accepted: which files are accepted; None: as the defaults say.
    """

    noun, digest_column, prepared_folder = "pictures", PICTURE_DIGEST, PICTURE_FOLDER

    def __init__(self, folder: Path, accepted: PictureFiles | None = None) -> None:
        super().__init__(folder)
        self.accepted = accepted or PictureFiles()

    def find(self, name: str) -> FoundFile:
        """The digest of a picture; see :class:`~seq2seq_core.corpus.named_files.source_files.SourceFiles`."""
        accepted = self.accepted
        picture = read_picture(self.path_of(name), accepted.max_pixels, takes_first=accepted.animated == "first")
        if picture.width < accepted.min_width or picture.height < accepted.min_height:
            raise PictureError(
                f"is {picture.width} × {picture.height}; expected at least {accepted.min_width} × {accepted.min_height} pixels "
                "(corpus.pictures)"
            )
        return FoundFile(picture.digest)
