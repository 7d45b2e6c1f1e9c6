"""Work by several threads."""

from __future__ import annotations

import pytest

from seq2seq_core.decoding.engines.parallel_run import run_in_parallel


@pytest.mark.parametrize("num_parallel", [1, 3])
def test_results_come_in_order_and_the_first_error_ends_the_work(num_parallel: int) -> None:
    assert list(run_in_parallel(str, range(20), num_parallel)) == [str(number) for number in range(20)]
    begun: list[int] = []

    def fail_from_the_third(number: int) -> int:
        begun.append(number)
        if number >= 2:
            raise ValueError(number)
        return number

    with pytest.raises(ValueError, match=r"^2$"):
        list(run_in_parallel(fail_from_the_third, range(1000), num_parallel))
    assert len(begun) < 1000
