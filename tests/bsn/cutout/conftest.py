import pytest

from tests.bsn.cutout.stand_ins import Disc


@pytest.fixture(scope="session")
def disc():
    return Disc(200, 150)
