import os
import time

import pytest

from bsn.errors import InputError
from bsn.workers import ahead, ordered_map


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


def test_threads_are_no_further_ahead_than_one_item_each():
    begun = []

    def square(number: int) -> int:
        begun.append(number)
        return slow_square(number)

    for done, (number, result) in enumerate(ahead(square, range(20), threads=2)):
        assert result() == number * number
        assert number == done
        assert len(begun) <= done + 3


def test_an_error_ahead_is_raised_where_its_result_is_asked_for():
    found = []
    for number, result in ahead(refuse_20, range(18, 23), threads=2):
        if number == 20:
            with pytest.raises(InputError, match="20 is refused"):
                result()
        else:
            found.append(result())
    assert found == [18, 19, 21, 22]
