"""The variables that libraries read while they load, as a fresh process of each entry point has them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bsn import environment

ROOT = Path(__file__).parents[2]
OURS = {**environment.WAITING, **environment.FIXED, **environment.AVX2, "OPENCV_CPU_DISABLE": ""}
ENTRY_POINTS = sorted(
    ".".join(file.relative_to(ROOT).with_suffix("").parts)
    for folder in ("bsn", "study", "drawn", "stages", "experiments", "benchmarks")
    for file in (ROOT / folder).rglob("*.py")
    if '__name__ == "__main__"' in file.read_text("utf-8")
)
# Imports each module in a process of its own, up to the first library that reads variables, and tells what it reads.
PROBE = """
import importlib, json, os, sys

class Loads(BaseException):
    pass

class Watch:
    def find_spec(self, name, *_):
        if name in ("numpy", "cv2", "scipy", "torch"):
            raise Loads(name)

for module in sys.argv[1:]:
    sys.stdout.flush()
    if os.fork() == 0:
        sys.meta_path.insert(0, Watch())
        library = None
        try:
            importlib.import_module(module)
        except Loads as first:
            library = str(first)
        print(json.dumps([module, library, dict(os.environ)]), flush=True)
        os._exit(0)
    os.wait()
"""


def clean(**variables: str) -> dict[str, str]:
    """The environment of a user who has set none of ours; this process has them, and passes them on."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    return {**kept, "PATH": path, "PYTHONPATH": str(ROOT), **variables}


def python(*arguments: str, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=clean(**variables), capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def found() -> dict[str, tuple[str | None, dict[str, str]]]:
    """By entry point the first library that it loads, and the variables at that moment."""
    done = python("-c", PROBE, *ENTRY_POINTS, "study.tracking.served")
    assert done.returncode == 0, done.stderr
    return {module: (library, variables) for module, library, variables in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("module", [*ENTRY_POINTS, "study.tracking.served"])
def test_threads_wait_passively_before_any_library_loads(found, module):
    _, variables = found[module]
    assert variables["OMP_WAIT_POLICY"] == "PASSIVE"


def test_importing_numpy_too_early_is_detected(found):
    """The probe must come before the libraries, or the test above would see what was set too late."""
    assert found["stages.train"][0] == "numpy"
    assert found["benchmarks.loader"][0] == "cv2"
    assert {library for library, _ in found.values()} <= {"numpy", "cv2", "scipy", "torch", None}


@pytest.mark.parametrize("module", [module for module in ENTRY_POINTS if module.startswith(("stages.", "benchmarks."))])
def test_stages_have_their_results_fixed_before_any_library_loads(found, module):
    _, variables = found[module]
    assert {name: variables[name] for name in environment.FIXED} == environment.FIXED
    if environment._processor_features() >= {"avx2", "fma"}:
        assert {name: variables[name] for name in environment.AVX2} == environment.AVX2


def waits(done: subprocess.CompletedProcess[str]) -> list[str]:
    """How often waiting threads look for work before they sleep, of each OpenMP that was loaded."""
    return re.findall(r"GOMP_SPINCOUNT = '(\d+)'", done.stderr)


@pytest.mark.parametrize(
    "command",
    [
        ("-m", "stages.train", "nosuch"),
        ("-m", "stages.trial", "nosuch-1"),
        ("-m", "stages.evaluate", "nosuch"),
        (
            "-c",
            "from bsn.workers import ordered_map; list(ordered_map(len, ['a', 'b'], workers=2, imports='torch'))",
        ),
    ],
)
def test_openmp_itself_says_that_threads_do_not_spin(command, tmp_path):
    done = python(*[part.format(out=tmp_path) for part in command], OMP_DISPLAY_ENV="VERBOSE")
    assert set(waits(done)) == {"0"}, done.stderr


def test_the_instruction_set_has_a_name():
    assert re.fullmatch("[A-Z0-9 _]+(, pinned)?", environment.instructions())
