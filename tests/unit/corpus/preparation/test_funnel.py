from __future__ import annotations

from seq2seq_core.corpus.preparation.funnel import Funnel, LengthProfile, format_funnels, format_lengths


def _funnels() -> dict[str, Funnel]:
    train = Funnel(rows_in=10, dropped={"min_characters": 2, "leakage": 0}, carved={"test": 1})
    for source, target in [("ab", "x")] * 6 + [("abcdef", "xy")]:
        train.count_written(source, target)
    test = Funnel(rows_in=1)
    test.count_written("a", "b")
    return {"train": train, "test": test}


def test_the_table_accounts_for_every_row() -> None:
    assert format_funnels(_funnels()) == "\n".join(
        [
            "|                           | train | test |",
            "|:--------------------------|------:|-----:|",
            "| rows in                   |    10 |    1 |",
            "| dropped by min_characters |    -2 |      |",
            "| dropped by leakage        |     0 |      |",
            "| carved out as test        |    -1 |      |",
            "| rows out                  |     7 |    1 |",
        ]
    )


def test_lengths_are_summarised() -> None:
    assert format_lengths(_funnels()) == "\n".join(
        [
            "| characters   |  mean | median | p90 | p99 | max |",
            "|:-------------|------:|-------:|----:|----:|----:|",
            "| train source | 2.571 |      2 |   6 |   6 |   6 |",
            "| train target | 1.143 |      1 |   2 |   2 |   2 |",
            "| test source  |     1 |      1 |   1 |   1 |   1 |",
            "| test target  |     1 |      1 |   1 |   1 |   1 |",
        ]
    )


def test_quantiles_are_lengths_that_occur() -> None:
    profile = LengthProfile()
    for length in range(1, 101):
        profile.add("x" * length)
    assert profile.summarize() == {"mean": 50.5, "median": 50, "p90": 90, "p99": 99, "max": 100}


def test_nothing_has_lengths_of_zero() -> None:
    assert LengthProfile().summarize() == {"mean": 0.0, "median": 0.0, "p90": 0.0, "p99": 0.0, "max": 0.0}
