"""Whether a stage's bytes are the same on every machine: what libraries say that they compute with, what they make."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from bsn import environment
from tests.bsn.test_environment import ROOT, clean, python
from tests.miniature import miniature

AVX2 = environment._processor_features() >= {"avx2", "fma"}
pytestmark = pytest.mark.skipif(not AVX2, reason="this processor has no AVX2, so nothing is pinned to it")

REPORT = """
import stages
import json, cv2, numpy, scipy.linalg, torch
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
from threadpoolctl import threadpool_info

conv, product = torch.nn.Conv2d(2, 2, 3), torch.ones(40, 40) @ torch.ones(40, 40)
conv(torch.ones(2, 2, 9, 9))
blas = [pool for pool in threadpool_info() if pool["internal_api"] == "openblas"]
print(json.dumps({
    "torch": torch.backends.cpu.get_cpu_capability(),
    "numpy": {name: __cpu_features__[name] for name in __cpu_dispatch__},
    "OpenCV": cv2.getCPUFeaturesLine().split(),
    "OpenCV's threads and IPP": [cv2.getNumThreads(), cv2.ipp.useIPP()],
    "OpenBLAS": [[pool["architecture"], pool["num_threads"]] for pool in blas],
}))
"""
# What the user's environment may hide from the libraries.
HIDDEN = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_CBWR": "AUTO",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    "OPENBLAS_CORETYPE": "Nehalem",
    "OPENBLAS_NUM_THREADS": "3",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4",
    "OPENCV_CPU_DISABLE": "AVX2",
    "OPENCV_IPP": "sse42",
    "OPENCV_FOR_THREADS_NUM": "3",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ,-AVX512CD",
    "OMP_NUM_THREADS": "3",
    "OMP_DYNAMIC": "TRUE",
}
ONE_CORE = ("taskset", "--cpu-list", str(min(os.sched_getaffinity(0))))


@pytest.fixture(scope="module", params=[{}, HIDDEN], ids=["", "hidden"])
def said(request) -> tuple[dict, str]:
    """What the libraries of a stage's process say of themselves, and all that oneDNN and MKL wrote."""
    done = python("-c", REPORT, ONEDNN_VERBOSE="1", MKL_VERBOSE="1", **request.param)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stdout


def test_torch_computes_with_avx2(said):
    assert said[0]["torch"] == "AVX2"


def test_onednn_computes_with_avx2(said):
    assert re.findall(r"cpu,isa:(.+)", said[1]) == ["Intel AVX2"]


def test_mkl_computes_what_every_processor_can(said):
    assert set(re.findall(r"SGEMM.* CNR:(\w+)", said[1])) == {"COMPATIBLE"}


def test_numpy_has_nothing_beyond_avx2(said):
    assert said[0]["numpy"] == {"X86_V3": True, "X86_V4": False, "AVX512_ICL": False, "AVX512_SPR": False}


def test_opencv_has_nothing_beyond_avx2(said):
    features = said[0]["OpenCV"]
    assert "*AVX2" in features
    # OpenCV marks what it could use with a star, and what it may not with a question mark.
    assert [name for name in features if "AVX512" in name] == ["*AVX512-SKX?"]


def test_opencv_has_one_thread_and_no_ipp(said):
    assert said[0]["OpenCV's threads and IPP"] == [1, False]


def test_every_openblas_has_one_kernel_and_one_thread(said):
    """numpy, scipy and OpenCV each bring one."""
    assert said[0]["OpenBLAS"] == [["Haswell", 1]] * 3


def study(
    folder: Path, *, instructions: str = "avx2", prefix: tuple[str, ...] = (), **variables: str
) -> dict[str, str]:
    """The bytes of the miniature's data, of a training and of its evaluation, by file."""
    folder.mkdir()
    for name in ("params.yaml", "sources.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "attributes", folder / "attributes")
    (folder / "profiles").mkdir()
    (folder / "profiles/sketch.yaml").write_text(yaml.safe_dump({**miniature(), "instructions": instructions}))
    command = [*prefix, sys.executable, "-m", "tests.small_study"]
    done = subprocess.run(command, cwd=folder, env=clean(**variables), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    files = [file for name in ("data", "models", "metrics") for file in (folder / name).rglob("*") if file.is_file()]
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, dict[str, str]]:
    """`study` under each of the variables, two at a time."""
    folder = tmp_path_factory.mktemp("studies")
    with ThreadPoolExecutor(2) as pool:
        studies = {
            "pinned": pool.submit(study, folder / "pinned"),
            "hidden": pool.submit(study, folder / "hidden", **HIDDEN),
            "one core": pool.submit(study, folder / "one core", prefix=ONE_CORE),
            "native": pool.submit(study, folder / "native", instructions="native", **HIDDEN),
        }
        return {name: future.result() for name, future in studies.items()}


def test_instructions_hidden_from_the_libraries_change_no_byte(made):
    """On a processor with more than AVX2 the pin hides it; here it is seen to win over variables that hide AVX2 too."""
    written = {"models/bsn/weights.safetensors", "metrics/methods/bsn.json", "data/mean_mask/aligned.npy"}
    assert written <= set(made["pinned"])
    assert made["hidden"] == made["pinned"]


def test_the_number_of_cores_changes_no_byte(made):
    assert made["one core"] == made["pinned"]


def test_where_the_profile_lifts_the_pin_it_does_change_bytes(made):
    """So that the tests above are seen to be able to fail."""
    weights = "models/bsn/weights.safetensors"
    assert made["native"][weights] != made["pinned"][weights]


LOOK = "import stages, json, os; print(json.dumps(dict(os.environ)))"


@pytest.fixture
def seen(tmp_path):
    """The environment after `import stages` in a folder with this profile."""

    def look(profile: str, **variables: str) -> dict[str, str]:
        (tmp_path / "params.yaml").write_text("profile: mine\n")
        (tmp_path / "profiles").mkdir(exist_ok=True)
        (tmp_path / "profiles/mine.yaml").write_text(profile)
        return json.loads(python("-c", LOOK, cwd=tmp_path, **variables).stdout)

    return look


def test_a_profile_that_lifts_the_pin_leaves_the_users_own_variables(seen):
    found = seen("instructions: native", MKL_CBWR="AVX2")
    assert found["MKL_CBWR"] == "AVX2"
    assert not set(environment.AVX2) - {"MKL_CBWR"} & set(found)
    assert {name: found[name] for name in environment.FIXED} == environment.FIXED


def test_a_profile_that_lifts_the_pin_lifts_that_of_the_process_that_starts_it(seen):
    assert not set(environment.AVX2) & set(seen("instructions: native", **seen("instructions: avx2")))


@pytest.mark.parametrize("profile", ["instructions: sse", "- no keys", "instructions: [", "", "other: 1"])
def test_a_profile_that_cannot_be_read_pins(seen, profile):
    found = seen(profile)
    assert {name: found[name] for name in environment.AVX2} == environment.AVX2


def test_a_profile_with_other_instructions_is_refused_in_one_line(tmp_path):
    for name in ("params.yaml", "sources.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/sketch.yaml").write_text(yaml.safe_dump({**miniature(), "instructions": "sse4"}))
    done = python("-m", "stages.check", cwd=tmp_path)
    assert done.stderr == "check: instructions = 'sse4' is refused; allowed: avx2 or native\n"
