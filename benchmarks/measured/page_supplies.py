"""What the reader of a page must supply for some of its commands: a corpus, a remote, a server, a version."""

from __future__ import annotations

from dataclasses import dataclass


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
_SERVING = Supply(
    "a server", first="s2s serve > /dev/null 2>&1 & until curl -s --noproxy '*' http://127.0.0.1:5001/ready; do sleep 1; done"
)
_TAGS = Supply("needs a model of several languages (tests/unit/cli/ runs it)", skip=True)
_WITH_1 = Supply("a version", instead="s2s promote 1 --force --reason 'an example'")
_JSON = "curl http://127.0.0.1:5001/{} -H 'Content-Type: application/json' -d '{}'"
_GLOSSARY_REQUEST = _JSON.format(
    "invocations", r'{"inputs": ["3 May 2031"], "params": {"glossary": ["May\t06"], "forbid": ["05"]}}'
)
_TRY_REQUEST = _JSON.format(
    "try", '{"source": "3 May 2031", "tags": {}, "params": {"beam_size": 5}, "num_hypotheses": 3, "alignments": true}'
)
_WITHOUT_CLONE = {
    "pip install": Supply("tests/pipeline/test_installed_package.py installs the package without a clone", skip=True),
    "s2s init FOLDER": Supply("a folder", instead="s2s init ../workspace"),
}
SUPPLIES: dict[str, dict[str, Supply]] = {
    "README.md": {
        **_WITHOUT_CLONE,
        "s2s upgrade": Supply(
            "the workspace of the command before",
            instead="(cd ../workspace && git add -A && git commit -q -m Workspace && s2s upgrade)",
        ),
        "s2s import": Supply("an address: tests/unit/corpus_import/ imports from a server of its own", skip=True),
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
        **_WITHOUT_CLONE,
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
        "python benchmarks/engine_parity.py --bundle models/bundle --pairs test.tsv": Supply("a benchmark of its own", skip=True),
        "python benchmarks/door_parity.py --steps 300 --rows 300": Supply("a benchmark of its own", skip=True),
        "s2s predict sources.txt > predictions.txt": Supply(
            "sources and targets",
            first="printf '3 May 2031\\n4 June 2032\\n' > sources.txt && printf '2031-05-03\\n2032-06-04\\n' > targets.txt",
        ),
        "s2s predict --into FOLDER": Supply("a folder", instead="s2s predict --into predicted sources.txt"),
        r"printf 'hot dog\tperrito caliente\n' > terms.tsv": Supply(
            "a term that the sample model can spell", instead=r"printf 'May\t05\n' > terms.tsv"
        ),
        's2s predict --force "Madrid" --forbid "ciudad" sources.txt': Supply(
            "phrases that the sample model can spell", instead='s2s predict --force "203" --forbid "2034" sources.txt'
        ),
        _GLOSSARY_REQUEST: _SERVING,
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
        _TRY_REQUEST: _SERVING,
        "mlflow models serve": Supply("README.md runs it", skip=True),
        "s2s lineage": Supply("a version", instead="s2s lineage 1"),
        "python benchmarks/hostile_requests.py": Supply("a benchmark of its own", skip=True),
        "python benchmarks/soak.py": Supply("a benchmark of its own, of ten minutes", skip=True),
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
