from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
import sacrebleu

from seq2seq_core.config.metric_names import RewardMetric
from seq2seq_core.evaluation.metric import ScoringOptions
from seq2seq_core.training.objectives.reward import FEWEST_FOR_WORKERS, RewardScorer, sentence_rewards

PAIRS = [("the cat sat", "the cat sat"), ("a cat", "the cat sat"), ("", "the cat sat"), ("dog", "x y"), ("a b c d", "a b d")]


@pytest.mark.parametrize("metric", ["chrf", "bleu", "exact_match", "cer", "wer"])
def test_a_perfect_word_has_the_reward_one(metric: RewardMetric) -> None:
    assert sentence_rewards(metric, [("cat", "cat")]) == [pytest.approx(1.0)]


def test_rewards_by_sacrebleu_are_its_scores_on_a_scale_of_one() -> None:
    for hypothesis, reference in PAIRS:
        chrf = sacrebleu.sentence_chrf(hypothesis, [reference]).score / 100
        bleu = sacrebleu.sentence_bleu(
            hypothesis, [reference], smooth_method="add-k", smooth_value=1, use_effective_order=True
        ).score / 100  # fmt: skip
        assert sentence_rewards("chrf", [(hypothesis, reference)]) == [pytest.approx(chrf)]
        assert sentence_rewards("bleu", [(hypothesis, reference)]) == [pytest.approx(bleu)]


@pytest.mark.parametrize(
    ("metric", "hypothesis", "reference", "reward"),
    [
        ("exact_match", "abc", "abd", 0.0),
        ("cer", "abc", "abd", 2 / 3),
        ("cer", "xxxxxx", "ab", -2.0),
        ("wer", "a b c d", "a b d", 2 / 3),
        ("wer", "", "a b", 0.0),
        ("chrf", "", "ab", 0.0),
    ],
)
def test_a_wrong_sentence_loses_its_share(metric: RewardMetric, hypothesis: str, reference: str, reward: float) -> None:
    assert sentence_rewards(metric, [(hypothesis, reference)]) == [pytest.approx(reward)]


def test_the_reward_by_bleu_has_a_tokeniser() -> None:
    pairs = [("我们是中国人", "我们是美国人"), ("我", "我们是美国人")]
    assert sentence_rewards("bleu", pairs) == [0.0, 0.0]
    with RewardScorer("bleu", 0, ScoringOptions(bleu_tokenizer="zh")) as scorer:
        near, far = scorer.submit(pairs)()
    assert 0.0 < far < 0.2 < near < 1.0


def test_worker_processes_give_the_same_rewards_in_the_same_order() -> None:
    pairs = [(f"the cat {number % 50}", f"the cat {number % 7}") for number in range(3 * FEWEST_FOR_WORKERS)]
    expected = sentence_rewards("chrf", pairs)
    with RewardScorer("chrf", num_workers=0) as alone:
        assert alone.submit(pairs)() == expected
    with RewardScorer("chrf", num_workers=2) as scorer:
        assert scorer._pool is not None
        first, second = scorer.submit(pairs), scorer.submit(pairs[::-1])
        assert second() == expected[::-1]
        assert first() == expected
        assert scorer.submit(pairs[:3])() == expected[:3]


HOLD_WORKERS = """
import time
from seq2seq_core.training.objectives.reward import RewardScorer

if __name__ == "__main__":
    with RewardScorer("exact_match", 1) as scorer:
        scorer.submit([(str(number), "1") for number in range(100)])()
        print(*scorer._pool._processes, flush=True)
        time.sleep(600)
"""


def test_workers_outlive_a_signal_and_never_the_trainer(tmp_path: object) -> None:
    trainer = subprocess.Popen([sys.executable, "-c", HOLD_WORKERS], stdout=subprocess.PIPE, text=True)
    with trainer:
        assert trainer.stdout is not None
        worker = psutil.Process(int(trainer.stdout.readline()))
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(worker.pid, number)
        time.sleep(0.2)
        assert worker.is_running()
        trainer.kill()
    worker.wait(timeout=300)
    assert not worker.is_running()
