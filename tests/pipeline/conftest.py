"""The miniature project, built once per test session; each test file uses its own copy."""

import os
import shutil

import pytest
from filelock import FileLock

from tests.miniature import Project, build


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Project:
    """The miniature after its first `dvc repro`; read-only, shared by the workers of pytest-xdist."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, output = shared / "miniature", shared / "miniature.txt"
    with FileLock(shared / "miniature.lock"):
        if not folder.exists():
            output.write_text(build(folder).first_output)
        if not output.exists():
            pytest.fail("the miniature could not be built: see the first error of tests/pipeline")
    return Project(folder, output.read_text())


@pytest.fixture(scope="module")
def project(built, tmp_path_factory) -> Project:
    """A copy of the miniature."""
    folder = tmp_path_factory.mktemp("project") / "copy"
    shutil.copytree(built.folder, folder, symlinks=True)
    return Project(folder, built.first_output)
