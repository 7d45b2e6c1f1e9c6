"""The commands that a page of the documentation tells its reader to type, and what the reader must supply for some of them."""

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


@dataclass(frozen=True)
class Supply:
    """What the reader must supply for a command.

    Attributes:
        reason: why the command cannot run as it is shown, or what it needs first.
        first: shell commands that run before it.
        instead: runs in place of the command; empty to run the command as it is shown.
        skip: whether it is not run at all.
    """

    reason: str
    first: str = ""
    instead: str = ""
    skip: bool = False


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
    "docs/import.md": "its commands download corpora; tests/unit/corpus_import/ imports from a server of its own",
    "docs/extending.md": "tests/contracts/test_extending.py makes its changes and runs its tests",
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

_SHORTER = (
    "sed -i -E 's/( max_steps:) [0-9]+/\\1 40/; s/(warmup_steps:) [0-9]+/\\1 5/; s/(validate_every_steps:) [0-9]+/\\1 20/; "
    "s/(beam_size:) [0-9]+/\\1 1/; s/(width:) [0-9]+/\\1 32/' params.yaml"
)
_BEFORE_OWN_CORPUS = "git checkout -q $(git rev-list -n 1 HEAD -- data/raw/dates.dvc)~1"
_FRESH_CLONE = "rm -rf ../other && git clone -q . ../other && cp .dvc/config ../other/.dvc/config && cd ../other"
_READY = "s2s configure configs/g2p.yaml --corpus data/raw/mine --name mine"
_REMOTE = Supply(
    "a remote with the outputs: a local folder",
    first='mkdir -p ../remote && dvc remote add -f -d team "$PWD/../remote" && dvc push',
)
_SWEEP = "configs/sweeps/dates.yaml"
_PREFECT = (
    "prefect server start & export PREFECT_API_URL=http://127.0.0.1:4200/api; "
    "until curl -s --noproxy '*' $PREFECT_API_URL/health; do sleep 1; done; s2s setup-prefect"
)
_REQUEST = (
    "curl http://127.0.0.1:5001/invocations -H 'Content-Type: application/json' "
    r'''-d "{\"dataframe_split\": {\"columns\": [\"source\"], \"data\": [[\"$(base64 -w0 one.wav)\"]]}}"'''
)
_SCORE = "prefect deployment run score/dates-score --param input=tickets --param output=predictions --param column=text"
_SECOND_VERSION = "s2s retrain --set train.max_steps=150"
_TAGS = Supply("needs a model of several languages (tests/unit/cli/ runs it)", skip=True)
_WITH_1 = Supply("a version", instead="s2s promote 1 --force --reason 'an example'")
SUPPLIES: dict[str, dict[str, Supply]] = {
    "README.md": {
        "make test": Supply("the tests are a run of their own, of a quarter of an hour", skip=True),
        "dvc add data/raw/mine": Supply(
            "a corpus of your own: the sample corpus in another folder",
            first="mkdir -p data/raw/mine && cp data/raw/dates/*.tsv data/raw/mine",
        ),
        "dvc import-url": Supply("an address: a local folder", instead='dvc import-url "$PWD/data/raw/dates" data/raw/imported'),
        _READY: Supply(
            "the settings of the step before, afterwards: this corpus is not one of pronunciations",
            instead=f"{_READY} && s2s configure --corpus data/raw/mine --force",
        ),
        "s2s check-settings": Supply("a smaller model and a shorter training, by an edit of params.yaml", first=_SHORTER),
        "dvc exp run --name longer -S train.max_steps=2000": Supply(
            "fewer updates", instead="dvc exp run --name longer -S train.max_steps=60"
        ),
        "dvc exp run --queue --name wide -S model.width=256": Supply(
            "a smaller width", instead="dvc exp run --queue --name wide -S model.width=64"
        ),
        "dvc queue start": Supply(
            "the wait until the queue is empty",
            instead="dvc queue start; while dvc queue status | grep -qE 'Running|Queued'; do sleep 2; done; "
            "dvc queue status | grep Success",
        ),
        "dvc remote add -d team s3://bucket/path": Supply(
            "a bucket: a local folder", instead='mkdir -p ../remote && dvc remote add -d team "$PWD/../remote"'
        ),
        "dvc pull && dvc repro": Supply("another clone of the same commit", instead=f"({_FRESH_CLONE} && dvc pull && dvc repro)"),
        "git checkout COMMIT && dvc checkout": Supply(
            "a commit: that of the first run", instead="git stash -q; git checkout -q HEAD~1 && dvc checkout"
        ),
        "s2s promote 1": Supply(
            "a word: what was trained for moments passes no gate", instead="s2s promote 1 --force --reason 'an example'"
        ),
        "s2s rollback": Supply("two champions, one after the other (tests/unit/registry/test_moves.py)", skip=True),
        "s2s sample-corpus": Supply("a fresh clone", instead=f"({_FRESH_CLONE} && s2s sample-corpus)"),
        "dvc pull data/raw/dates": Supply(
            "the commit before your own corpus", instead=f"({_FRESH_CLONE} && {_BEFORE_OWN_CORPUS} && dvc pull data/raw/dates)"
        ),
    },
    "docs/tutorial.md": {
        "make install": Supply("the script has installed the clone", skip=True),
        "s2s check-settings": Supply(
            "a smaller model and a shorter training, by an edit of params.yaml",
            first="sed -i -E 's/( max_steps:) [0-9]+/\\1 800/; s/(warmup_steps:) [0-9]+/\\1 100/; s/(width:) [0-9]+/\\1 128/; "
            "s/(validate_every_steps:) [0-9]+/\\1 200/' params.yaml",
        ),
        "s2s predict --nbest 3 --scores questions.txt": Supply(
            "a file of questions", first="printf 'nine hundred and twelve\\nsix\\n' > questions.txt"
        ),
        "dvc add data/raw/numbers && s2s retrain": Supply(
            "more pairs", first="printf 'ten thousand\\t10000\\n' >> data/raw/numbers/train.tsv"
        ),
        "dvc push": _REMOTE,
        "s2s ui": Supply("README.md runs it (make ui)", skip=True),
    },
    "docs/recipe.md": {
        "s2s learning-curve": Supply("two parts of train only", instead="s2s learning-curve --fraction 1/16 --fraction 1/8"),
    },
    "docs/decoding.md": {
        "s2s predict sources.txt > predictions.txt": Supply(
            "sources and targets",
            first="printf '3 May 2031\\n4 June 2032\\n' > sources.txt && printf '2031-05-03\\n2032-06-04\\n' > targets.txt",
        ),
        "s2s predict --into FOLDER": Supply("a folder", instead="s2s predict --into predicted sources.txt"),
        "mlflow models serve -m models:/dates@champion --env-manager local -p 5001": Supply(
            "the server above has the port; README.md runs it", skip=True
        ),
        "s2s export --to ctranslate2 --compute int8 --output models/int8": Supply(
            "the sample model is recurrent, which CTranslate2 does not decode: PyTorch's weights",
            instead="s2s export --to torch --compute int8 --output models/int8",
        ),
    },
    "docs/drift.md": {
        "s2s drift 7 --against 3": Supply(
            "versions: two of a short training", first=_SECOND_VERSION, instead="s2s drift 2 --against 1"
        ),
        "s2s drift --requests yesterday.jsonl --column text": Supply(
            "requests: sources of test",
            first="python -c \"import json; [print(json.dumps({'text': json.loads(line)['source']})) "
            "for line in open('data/prepared/test.jsonl')]\" > yesterday.jsonl",
        ),
        "s2s promote REF --force --reason TEXT": Supply("a version", instead="s2s promote 1 --force --reason 'an example'"),
        "python benchmarks/drift.py FOLDER ...": Supply("a benchmark of its own", skip=True),
    },
    "docs/languages.md": {
        "s2s predict --tag target_language=de sources.txt": _TAGS,
        "s2s predict --tags tags.jsonl sources.txt": _TAGS,
        "s2s score --tag target_language=de sources.txt targets.txt": _TAGS,
        "python benchmarks/quality.py two-languages": Supply("a download, and an hour of training", skip=True),
    },
    "docs/lineage.md": {
        "s2s lineage 7 --json": Supply("a version", instead="s2s lineage 1 --json"),
        "s2s lineage 1 2": Supply("two versions", first=_SECOND_VERSION),
        "s2s reproduce models:/dates@champion": Supply("a commit", first="git add -A && git commit -q -m 'A run'"),
    },
    "docs/security.md": {
        "s2s sign models:/dates@champion": Supply(
            "the keys made before", first="export S2S_PRIVATE_KEY_FILE=$PWD/signing.pem S2S_PUBLIC_KEY_FILE=$PWD/signing.pub"
        ),
        "s2s promote": _WITH_1,
        "s2s rollback": Supply("two champions, one after the other (tests/unit/registry/test_moves.py)", skip=True),
        "s2s predict": Supply("a source", instead="echo '3 May 2031' | s2s predict"),
        "mlflow models serve": Supply("README.md runs it", skip=True),
    },
    "docs/serving.md": {
        "mlflow models serve": Supply("README.md runs it", skip=True),
        "s2s lineage": Supply("a version", instead="s2s lineage 1"),
        "python benchmarks/hostile_requests.py": Supply("a benchmark of its own", skip=True),
        "python benchmarks/serving.py --bundle FOLDER --sources FILE": Supply("a benchmark of its own", skip=True),
    },
    "docs/scheduling.md": {
        "prefect deployment run retrain/dates-on-demand": Supply(
            "the wait for its end", instead="prefect deployment run retrain/dates-on-demand --watch"
        ),
        """prefect deployment run retrain/dates-on-demand --param 'set=["train.max_steps=200"]'""": Supply(
            "the wait for its end",
            instead="""prefect deployment run retrain/dates-on-demand --param 'set=["train.max_steps=200"]' --watch""",
        ),
        "dvc pull": _REMOTE,
        "dvc update": Supply(
            "an imported corpus",
            instead='dvc import-url "$PWD/data/raw/dates" data/raw/imported && dvc update data/raw/imported.dvc',
        ),
        "dvc remote modify --local": Supply("a setting", instead='dvc remote modify --local team url "$PWD/../remote"'),
        "prefect deploy": Supply("which deployments, and no questions", instead="prefect --no-prompt deploy --all"),
    },
    "docs/sweep.md": {
        f"s2s sweep {_SWEEP}": Supply("fewer trials", instead=f"s2s sweep {_SWEEP} --trials 2"),
        f"s2s sweep {_SWEEP} --trials 30 --jobs 2": Supply("fewer trials", instead=f"s2s sweep {_SWEEP} --trials 4 --jobs 2"),
        f"s2s sweep {_SWEEP} --write configs/best.yaml": Supply(
            "fewer trials", instead=f"s2s sweep {_SWEEP} --trials 4 --write configs/best.yaml"
        ),
        f"s2s sweep {_SWEEP} --apply": Supply("fewer trials", instead=f"s2s sweep {_SWEEP} --trials 4 --apply"),
        "s2s sweep FILE --prefect": Supply("a file, and fewer trials", instead=f"s2s sweep {_SWEEP} --trials 4 --prefect"),
        "s2s sweep FILE --write FILE": Supply(
            "files, and fewer trials", instead=f"s2s sweep {_SWEEP} --trials 4 --write configs/second.yaml"
        ),
        "prefect --no-prompt deploy --all": Supply("the server of docs/scheduling.md", first=_PREFECT),
        f"prefect deployment run sweep/dates-sweep --param file={_SWEEP} --param jobs=2": Supply(
            "a worker, fewer trials (by an edit of the file) and the wait for the end",
            first=f"prefect worker start --pool seq2seq-pool & sed -i 's/^trials: .*/trials: 4/' {_SWEEP}",
            instead=f"prefect deployment run sweep/dates-sweep --param file={_SWEEP} --param jobs=2 --watch",
        ),
    },
    "docs/bulk.md": {
        "s2s predict --into predictions --column text tickets/": Supply(
            "a folder of tickets",
            first='mkdir -p tickets && printf \'{"text": "3 May 2031"}\\n{"text": "4 June 2032"}\\n\' > tickets/may.jsonl',
        ),
        "s2s predict --into predictions --model models:/dates@champion dates.parquet": Supply(
            "a Parquet file, and an empty folder",
            first="rm -r predictions; "
            "python -c \"import pandas; pandas.DataFrame({'source': ['3 May 2031']}).to_parquet('dates.parquet')\"",
        ),
        _SCORE: Supply(
            "the server of docs/scheduling.md, a worker, an empty folder and the wait for the end",
            first=f"rm -r predictions; {_PREFECT}; prefect --no-prompt deploy --all; prefect worker start --pool seq2seq-pool &",
            instead=f"{_SCORE} --watch",
        ),
    },
    "docs/confidence.md": {
        "s2s configure": Supply("an argument", instead="s2s configure --help"),
        "s2s predict": Supply("a source", instead="echo '3 May 2031' | s2s predict"),
    },
    "docs/fine-tuning.md": {"dvc push": _REMOTE},
    "docs/speech.md": {
        "ls recordings/*.wav | s2s predict": Supply("needs a model of recordings", skip=True),
        _REQUEST: Supply("needs a model of recordings", skip=True),
        "python benchmarks/quality.py spoken-digits": Supply("needs the corpus of spoken digits, a download", skip=True),
        "ffmpeg -i IN -ac 1 -ar 16000 -c:a pcm_s16le OUT.wav": Supply("needs ffmpeg and a recording", skip=True),
    },
}
"""What the reader supplies, by page and command."""
