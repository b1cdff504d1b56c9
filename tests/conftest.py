import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import drawn as sketch
from bsn.environment import FIXED
from bsn.workers import cores
from study.fetch import http
from tests.site import Site

SEED = 1

# Every worker of pytest-xdist computes, so a second thread of one would wait for a core that another one uses: a small
# network's step then takes three times as long. Set before the tests import torch.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# As in a stage (bsn.environment). OpenCV reads it at its first use; where a test imported stages/ after that, the
# processes that it started would draw other bytes.
os.environ.update({name: value for name, value in FIXED.items() if name.startswith("OPENCV")})

# Files that take minutes, started first so that the workers of pytest-xdist end together. The first builds the
# miniature that the others in tests/pipeline copy; those after it keep the other workers busy meanwhile.
LONG = [
    "pipeline/test_runs.py",
    "bsn/training/test_resume.py",
    "bsn/training/test_distributed.py",
    "bsn/training/test_loop.py",
    "stages/test_environment.py",
    "study/tracking/test_sync.py",
    "pipeline/test_sweep.py",
    "pipeline/test_outs.py",
    "pipeline/test_trials.py",
    "pipeline/test_docs.py",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the long files to the front."""
    order = {Path(__file__).parent / name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path, len(LONG)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than the cores, because many tests wait for servers, locks and killed processes."""
    return cores() + 1


@pytest.fixture
def site(monkeypatch) -> Iterator[Site]:
    """A server of its own for the test, and pauses too short to be noticed."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    quick = http.RETRIES.new(backoff_factor=1e-4, backoff_max=1e-3, retry_after_max=1e-3)
    monkeypatch.setattr(http, "RETRIES", quick)
    server = Site()
    yield server
    server.close()


@pytest.fixture(scope="session")
def drawn(tmp_path_factory) -> Path:
    """The four sets as `drawn` draws them, each in a folder of its name."""
    root = tmp_path_factory.mktemp("drawn")
    sketch.write_pfcn(root / "pfcn", seed=SEED, train=6, test=3)
    sketch.write_coco(root / "coco", seed=SEED, portraits=3, others=6)
    sketch.write_cocostuff(root / "cocostuff", seed=SEED, portraits=2, others=6)
    sketch.write_voc(root / "voc", seed=SEED, portraits=4, others=6)
    return root
