import os
import time

import pytest

from bsn.errors import InputError
from bsn.workers import ordered_map


def slow_square(number: int) -> int:
    time.sleep(0.02 if number % 8 == 0 else 0)
    return number * number


def process(number: int) -> int:
    return os.getpid()


def refuse_20(number: int) -> int:
    if number == 20:
        raise InputError("20 is refused")
    return number


def die_at_20(number: int) -> int:
    if number == 20:
        os._exit(9)
    return number


def spread(function, count: int = 40, workers: int = 2) -> list:
    return list(ordered_map(function, range(count), workers=workers, imports="bsn.errors"))


def test_results_come_in_order_from_several_processes():
    assert spread(slow_square) == [number * number for number in range(40)]
    assert os.getpid() not in spread(process)


def test_one_item_or_one_worker_stays_in_this_process():
    assert set(spread(process, count=1)) == {os.getpid()}
    assert set(spread(process, workers=1)) == {os.getpid()}


def test_exception_of_the_function_is_raised():
    with pytest.raises(InputError, match="20 is refused"):
        spread(refuse_20)


def test_killed_worker_is_one_line():
    with pytest.raises(InputError, match="one of 2 worker processes was killed"):
        spread(die_at_20)
