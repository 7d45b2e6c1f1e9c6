"""The sample of inflection: the same bytes everywhere, its rules written out by hand, and what train cannot tell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from seq2seq_core.cli.main import app
from seq2seq_core.corpus.samples.sample_inflection import (
    Row,
    Verb,
    best_possible,
    forms_of,
    inflected_splits,
    write_sample_inflection,
)

ROOT = Path(__file__).parents[3]
DIGESTS = {
    "train.tsv": "5faedc5f972e9cc42c99d0e26cf78e7304904549d6f5d4eb5a2a337939c90c85",
    "dev.tsv": "cf79acd87d9e459aca337c2f478947b91bda94a53e7d0134f58b1aeab6531713",
    "test.tsv": "48ca0222273d1e3896f41b9b40322943ce62f2c8abaca7f9c4a79e713f02047d",
}


def test_the_bytes_depend_on_nothing(tmp_path: Path) -> None:
    summary = write_sample_inflection(tmp_path / "here")
    assert summary.digests == DIGESTS
    code = "import sys; from pathlib import Path; "
    code += "from seq2seq_core.corpus.samples.sample_inflection import write_sample_inflection as w; "
    code += "print(*w(Path(sys.argv[1])).digests.values())"
    command = [sys.executable, "-c", code, str(tmp_path / "there")]
    environment = {"PYTHONHASHSEED": "7", "LC_ALL": "tr_TR.UTF-8"}
    result = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == list(DIGESTS.values())


@pytest.mark.parametrize(
    ("lemma", "exception", "features", "forms"),
    [
        ("kato", "", "PRS;1;SG", ["kadon"]),  # gradation in the syllable that n closes
        ("kato", "", "PRS;3;SG", ["katoo"]),
        ("kato", "", "FUT;3;PL", ["kakatovat"]),  # reduplication
        ("amu", "", "FUT;1;SG", ["amamun"]),
        ("pöly", "", "FUT;2;PL", ["pöpölyttä"]),  # harmony
        ("pöly", "kind", "FUT;2;PL", ["pöpölytta"]),
        ("kutarik", "", "PRS;1;PL", ["kutarigemme", "kutarigekka"]),  # inclusive and exclusive
        ("pesol", "", "PST;3;SG", ["pesoli"]),
        ("pesol", "vowel", "PST;3;SG", ["pesili"]),
        ("pesol", "vowel", "PRS;3;SG", ["pesola"]),
    ],
)
def test_verbs_are_inflected_by_the_stated_rules(lemma: str, exception: str, features: str, forms: list[str]) -> None:
    assert list(forms_of(Verb(lemma, exception), features)) == forms


def test_no_question_stands_twice_and_a_quarter_of_test_asks_for_lemmas_that_train_lacks() -> None:
    splits = inflected_splits()
    questions = [(row.verb.lemma, row.features) for rows in splits.values() for row in rows]
    assert len(questions) == len(set(questions)) == 5500
    known = {row.verb.lemma for row in splits["train"]}
    assert sum(row.verb.lemma not in known for row in splits["test"]) == 250
    shares = {kind: sum(row.verb.exception == kind for row in splits["train"]) / 4000 for kind in ("vowel", "kind")}
    assert all(0.03 < share < 0.08 for share in shares.values())


def test_the_best_possible_share_goes_by_what_train_shows() -> None:
    odd, plain = Verb("pesol", "vowel"), Verb("kato")
    asked = [Row(odd, "PST;3;SG", "pesili"), Row(plain, "PRS;1;PL", "kadomme"), Row(plain, "PST;1;PL", "katosikka")]
    assert best_possible([Row(odd, "PRS;3;SG", "pesola")], asked) == pytest.approx(1 / 3)  # nothing tells of the exception
    assert best_possible([Row(odd, "PST;1;SG", "pesilin")], asked) == pytest.approx(2 / 3)


def test_the_command_writes_it_and_refuses_two_samples(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["sample-corpus", "--inflection", "--output", str(tmp_path / "verbs")])
    assert done.exit_code == 0
    assert "1000 pairs of test; whoever knows the rules and train can write 93.9 % of test" in done.output
    refused = CliRunner().invoke(app, ["sample-corpus", "--inflection", "--pictures", "--output", str(tmp_path / "both")])
    assert refused.exit_code == 2
    assert not (tmp_path / "both").exists()
