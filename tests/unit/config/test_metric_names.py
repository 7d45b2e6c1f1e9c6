from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from seq2seq_core.config.metric_names import LOSS, DevMetric, MetricName, RewardMetric, is_slow, list_metrics
from seq2seq_core.config.settings import parse_settings
from seq2seq_core.errors import ConfigError

ALL = list_metrics()
QUICK = [name for name in ALL if not is_slow(name)]
REQUIRED = {"corpus": {"path": "x", "files": {"train": ["t.tsv"]}}, "register": {"model_name": "m"}}


def choices(*names: str) -> str:
    """Names as an error lists them."""
    *most, last = map(repr, names)
    return f"{', '.join(most)} or {last}"


@pytest.mark.parametrize(
    ("sections", "fault"),
    [
        (
            {"evaluate": {"metrics": ["exact_match", "x"]}},
            f"evaluate.metrics.1: must be one of {choices(*ALL)}, got 'x'",
        ),
        ({"register": {"model_name": "m", "metric": 3}}, f"register.metric: must be one of {choices(*ALL)}, got 3"),
        ({"train": {"dev_metric": "ter"}}, f"train.dev_metric: must be one of {choices(LOSS, *QUICK)}, got 'ter'"),
        (
            {"train": {"reinforcement": {"reward": "loss"}}},
            f"train.reinforcement.reward: must be one of {choices(*QUICK)}, got 'loss'",
        ),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_ones(sections: dict[str, object], fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings(REQUIRED | sections, "params.yaml")
    assert caught.value.faults == [fault]


def test_every_file_in_the_folder_of_metrics_can_be_chosen() -> None:
    assert [TypeAdapter(MetricName).validate_python(name) for name in list_metrics()] == list(list_metrics())
    assert {"bleu", "cer", "chrf", "exact_match", "rouge1", "ter", "wer"} <= set(list_metrics())
    assert "ter" not in QUICK
    assert TypeAdapter(DevMetric).json_schema() == {"type": "string", "enum": ["loss", *QUICK]}
    with pytest.raises(ValidationError, match="literal_error"):
        TypeAdapter(RewardMetric).validate_python("ter")
