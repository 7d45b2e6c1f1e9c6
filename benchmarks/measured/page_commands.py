"""The commands that a page of the documentation tells its reader to type, and the pages whose commands are run."""

from __future__ import annotations

import re
from dataclasses import dataclass

SHELL = "bash"
"""The language of fenced blocks with commands."""
PROGRAMS = {"cp", "curl", "dvc", "echo", "export", "ffmpeg", "git", "make", "mlflow", "pip", "prefect", "python", "s2s", "source"}
"""Code inside a sentence that begins with one of these is a command."""
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Command:
    """A command as a page shows it.

    Attributes:
        text: the command, without the comment behind it.
        block: counts the places of a page: commands of one fenced block have the same number.
        is_fenced: whether it is a line of a fenced block; otherwise it is code inside a sentence.
    """

    text: str
    block: int
    is_fenced: bool


def commands_of(page: str) -> list[Command]:
    """The commands of a page in the order in which a reader types them.

    A line of a fenced block is a command each time. Code inside a sentence is one where it begins with the name of a program and
    more follows; it counts once, and not where it is a mention: the beginning of a fenced command, or of one before it. The
    sentences before the first fenced block introduce; their commands count at the next mention, or at the end.

    Args:
        page: the text of the page.
    """
    found: list[Command] = []
    introduction: list[Command] = []
    known = {line for language, text in FENCED.findall(page) if language == SHELL for line in _lines(text)}
    position, block = 0, 0
    for match in [*FENCED.finditer(page), None]:
        sentences = page[position : match.start() if match else len(page)]
        for text in _inline(sentences):
            block += 1
            waiting = found if found else introduction
            if not _is_mention(text, known):
                waiting.append(Command(text, block, is_fenced=False))
            known |= {text} if found else set()
        if match:
            position, block = match.end(), block + 1
            if match[1] == SHELL:
                found += [Command(text, block, is_fenced=True) for text in _lines(match[2])]
    late = {command.text: command for command in introduction if not _is_mention(command.text, known)}
    return found + list(late.values())


def _is_mention(text: str, known: set[str]) -> bool:
    return any(f"{command} ".startswith(f"{text} ") for command in known)


def _inline(sentences: str) -> list[str]:
    codes = [" ".join(code.split()) for code in INLINE.findall(sentences)]
    return [code for code in codes if code.split(" ")[0] in PROGRAMS and " " in code]


def _lines(block: str) -> list[str]:
    joined = re.sub(r"\\\n\s*", "", block)
    lines = [re.sub(r"\s{2,}#\s.*$", "", line).strip() for line in joined.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


_RUN = (
    "tutorial", "recipe", "sweep", "fine-tuning", "decoding", "bulk", "confidence", "drift", "languages", "lineage", "security",
    "serving", "speech", "scheduling",
)  # fmt: skip
PAGES = ("README.md", *(f"docs/{name}.md" for name in _RUN))
"""The pages whose commands benchmarks/readme_commands.py runs, with `--all` in this order."""
NOT_RUN = {
    "docs/index.md": "the tutorial has these commands, and more",
    "docs/images.md": "tests/unit/stages/frames/test_picture_corpus.py sends pictures through the graph and serves a model of them",
    "docs/import.md": "its commands download corpora; tests/unit/corpus_import/ imports from a server of its own",
    "docs/extending.md": "tests/contracts/test_extending.py makes its changes and runs its tests",
    "docs/deployment.md": "benchmarks/machines.py runs the services by their commands; images and charts need other machines",
    "docs/workspaces.md": "tests/pipeline/test_installed_package.py makes such a workspace and runs the pipeline there",
    "docs/status.md": "tests/pipeline/test_two_doors.py and test_status.py run them after edits, and where servers are away",
    "docs/models.md": "its commands train on a corpus of a shared task, which is no part of the repository",
    "docs/synthesis.md": "tests/unit/speech/ trains a model of speech and makes it speak by s2s predict --sound",
    "docs/commands.md": "the examples of the help texts, whose options tests/contracts/test_page_examples.py checks",
}
"""Pages with commands that the script does not run, and why."""

SERVERS: dict[str, tuple[str, ...]] = {
    "make ui": ("http://127.0.0.1:5000", "http://127.0.0.1:4200"),
    "make serve": ("http://127.0.0.1:5001",),
    "s2s serve": ("http://127.0.0.1:5001",),
    "mlflow models serve": ("http://127.0.0.1:5001",),
    "prefect server start": ("http://127.0.0.1:4200",),
    "prefect worker start": (),
}
"""Commands that run until somebody stops them, by their beginning, and the addresses that answer once they are ready."""
