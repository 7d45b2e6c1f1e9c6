"""Evidence about a corpus and its task, from samples of its texts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seq2seq_core.corpus_survey.choices.task_choice import Task, choose_task
from seq2seq_core.corpus_survey.corpus_layout import CorpusLayout
from seq2seq_core.corpus_survey.files.file_names import plain
from seq2seq_core.corpus_survey.texts.categories import is_category
from seq2seq_core.corpus_survey.texts.pair_statistics import PairStatistics, describe_pairs, tag_resolves
from seq2seq_core.corpus_survey.texts.picture_statistics import PictureStatistics, describe_pictures
from seq2seq_core.corpus_survey.texts.recording_statistics import RecordingStatistics, describe_recordings, describe_speech
from seq2seq_core.corpus_survey.texts.text_statistics import SideStatistics, describe_texts
from seq2seq_core.errors import UserError

MOST_TAGS, TIMES_OF_A_TAG = 400, 5
"""Most values of a column of tags, and how often one comes on average, at least."""
FILE_TASKS = {"speech": ".wav or .flac", "synthesis": "sound", "lines": "picture", "captions": "picture"}
"""Tasks with a side of files, and of which kind."""
VOICE_NAMES = ("speaker", "speaker id", "voice", "reader", "narrator", "client id")
"""Names of columns that say who speaks."""
JOINT_TASKS = ("normalisation", "spelling", "inflection", "summarisation", "dialogue", "translation")
"""Tasks for which a vocabulary of both sides is of use where they are in one script."""


@dataclass(frozen=True)
class CorpusEvidence:
    """Evidence about a corpus and its task.

    Attributes:
        layout: its files and columns.
        source: statistics of the sources; of recordings and pictures, of their names.
        target: statistics of the targets.
        pairs: statistics of the pairs.
        recordings: statistics of the recordings; None where sources are others.
        speech: statistics of the recordings that are the targets; None where targets are texts.
        pictures: statistics of the pictures; None where sources are others.
        tags: columns that tell which target of a source is asked for.
        categories: columns of few values.
        task: the task.
        reason: why this task.
    """

    layout: CorpusLayout
    source: SideStatistics
    target: SideStatistics
    pairs: PairStatistics
    recordings: RecordingStatistics | None
    speech: RecordingStatistics | None
    pictures: PictureStatistics | None
    tags: list[str]
    categories: list[str]
    task: Task
    reason: str

    @property
    def has_files(self) -> bool:
        """Whether the sources are recordings or pictures."""
        return self.recordings is not None or self.pictures is not None

    @property
    def num_rows(self) -> int:
        """Pairs of train, those that are carved out included."""
        return self.layout.num_rows["train"]

    @property
    def num_different(self) -> int:
        """Pairs of train that are left to train on once repeated ones are dropped."""
        return self.num_rows if self.is_repetition_data else max(1, int(self.num_rows * (1 - self.pairs.repeated)))

    @property
    def is_joint(self) -> bool:
        """Whether both sides share a vocabulary: one script, and a task that has use for it."""
        sides = self.source, self.target
        is_same = self.source.script == self.target.script and not any(side.is_spaceless for side in sides)
        return self.task in JOINT_TASKS and not self.has_files and (is_same or self.task in ("summarisation", "dialogue"))

    @property
    def is_repetition_data(self) -> bool:
        """Whether repeated pairs are how often something occurs, and no mistake."""
        return self.task in ("normalisation", "spelling") or (self.task == "parsing" and self.pairs.repeated > 0)


def gather_evidence(layout: CorpusLayout, folder: Path, task: Task | None) -> CorpusEvidence:
    """The evidence about a corpus.

    Args:
        layout: of the corpus.
        folder: its folder, for recordings and pictures.
        task: the task; None: the likeliest.

    Raises:
        UserError: a side has no text, a recording or picture cannot be used, or the task does not fit the corpus.
    """
    files, names = layout.roles.files if layout.roles is not None else "", [pair[0] for pair in layout.pairs]
    speech = describe_speech(folder, [pair[1] for pair in layout.pairs]) if layout.speaks else None
    recordings = describe_recordings(folder, names) if files == "recordings" and not layout.speaks else None
    pictures = describe_pictures(folder, names) if files == "pictures" else None
    source, target = (describe_texts([pair[side] for pair in layout.pairs]) for side in (0, 1))
    if not target.characters or not source.characters:
        raise UserError(f"{folder}: found no text on one side; expected texts in both columns (--source, --target choose them)")
    pairs = describe_pairs(layout.pairs, layout.repeated)
    whole = {} if recordings or speech else {name: values for name, values in layout.columns.items() if name not in layout.optional}
    tags = [name for name, values in whole.items() if is_category(values, MOST_TAGS, TIMES_OF_A_TAG)]
    tags = [name for name in tags if tag_resolves(layout.pairs, layout.columns[name])]
    if "target_language" in layout.columns and has_constant_languages(layout):
        tags = ["target_language"]
    categories = [name for name, values in layout.columns.items() if is_category(values) and len(set(values)) > 1]
    if speech is not None:
        tags = [name for name in categories if plain(name) in VOICE_NAMES]
    if files:
        chosen, possible = _choose_for_files(pictures, layout.speaks)
        if task is not None and task not in possible:
            side = "targets" if layout.speaks else "sources"
            raise UserError(f"--task: must be {' or '.join(possible)} where the {side} are {files}, got {task!r}")
    elif task in FILE_TASKS:
        raise UserError(f"--task: {task} needs a column with names of {FILE_TASKS[task]} files, got none")
    elif layout.turns is not None:
        chosen = ("dialogue", "rows are turns of conversations")
    else:
        chosen = choose_task(layout.roles.task if layout.roles else "", source, target, pairs, tags)
    if task is not None:
        chosen = (task, "--task says so")
    return CorpusEvidence(layout, source, target, pairs, recordings, speech, pictures, tags, categories, *chosen)


def _choose_for_files(pictures: PictureStatistics | None, speaks: bool) -> tuple[tuple[Task, str], tuple[Task, ...]]:
    """The task of a side that is files, with the reason, and the tasks that are possible."""
    if speaks:
        return ("synthesis", "the targets are recordings"), ("synthesis",)
    if pictures is None:
        return ("speech", "the sources are recordings"), ("speech",)
    size = f"the sources are pictures of {pictures.width} × {pictures.height} pixels"
    return (("lines" if pictures.are_lines else "captions"), size), ("lines", "captions")


def has_constant_languages(layout: CorpusLayout) -> bool:
    """Whether the files of the corpus have columns for their languages."""
    return any(isinstance(entry, dict) for entry in layout.section["files"]["train"])
