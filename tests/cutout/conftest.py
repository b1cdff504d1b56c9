import pytest

from tests.cutout.stand_ins import Disc


@pytest.fixture(scope="session")
def disc():
    return Disc(200, 150)
