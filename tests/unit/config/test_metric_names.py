from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from seq2seq_core.config.metric_names import DevMetric, MetricName, RewardMetric, list_metrics
from seq2seq_core.config.settings import parse_settings
from seq2seq_core.errors import ConfigError

QUICK = "'bleu', 'cer', 'chrf', 'exact_match', 'rouge1', 'rouge2', 'rougeL'"
REQUIRED = {"corpus": {"path": "x", "files": {"train": ["t.tsv"]}}, "register": {"model_name": "m"}}


@pytest.mark.parametrize(
    ("sections", "fault"),
    [
        ({"evaluate": {"metrics": ["exact_match", "x"]}}, f"evaluate.metrics.1: must be one of {QUICK}, 'ter' or 'wer', got 'x'"),
        ({"register": {"model_name": "m", "metric": 3}}, f"register.metric: must be one of {QUICK}, 'ter' or 'wer', got 3"),
        ({"train": {"dev_metric": "ter"}}, f"train.dev_metric: must be one of 'loss', {QUICK} or 'wer', got 'ter'"),
        (
            {"train": {"reinforcement": {"reward": "loss"}}},
            f"train.reinforcement.reward: must be one of {QUICK} or 'wer', got 'loss'",
        ),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_ones(sections: dict[str, object], fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings(REQUIRED | sections, "params.yaml")
    assert caught.value.faults == [fault]


def test_every_file_in_the_folder_of_metrics_can_be_chosen() -> None:
    assert [TypeAdapter(MetricName).validate_python(name) for name in list_metrics()] == list(list_metrics())
    assert TypeAdapter(DevMetric).json_schema() == {"type": "string", "enum": ["loss", *(n for n in list_metrics() if n != "ter")]}
    with pytest.raises(ValidationError, match="literal_error"):
        TypeAdapter(RewardMetric).validate_python("ter")
