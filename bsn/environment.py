"""Variables that libraries read while they load, and never again: set them before numpy, OpenCV, scipy and torch."""

import os

# Threads that wait for work sleep. By default OpenMP's spin, and a training beside other work then takes ten times as
# long: the core that one thread waits on is the one that the thread it waits for needs.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}

# What makes results depend on the machine's number of cores, and one library whose results depend on where its input
# lies in memory. torch's threads are set where it computes (bsn.training.launch).
FIXED = {
    "OMP_DYNAMIC": "FALSE",  # as many threads as torch asks for, also on a busy machine
    "OPENBLAS_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
    # Intel's primitives inside of OpenCV: the last digits of a distance transform change with the array's address.
    "OPENCV_IPP": "disabled",
    "OPENCV_LOG_LEVEL": "ERROR",  # or every process warns that they are disabled
}

# Each library computes with the newest instructions that it finds, and every set of them rounds differently.
AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # torch's convolutions
    "MKL_CBWR": "COMPATIBLE",  # torch's matrix products; "AVX2" pins nothing on a processor that is not Intel's
    "OPENBLAS_CORETYPE": "Haswell",  # the matrix products of numpy, of scipy and of OpenCV
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",  # all that numpy has beyond AVX2
}
# All that OpenCV has beyond AVX2. It complains when that is named where the processor lacks a part of it.
_OPENCV, _AVX512_SKX = "OPENCV_CPU_DISABLE", {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}


def wait_passively() -> None:
    """Let OpenMP's waiting threads sleep, unless the user has chosen otherwise."""
    for name, value in WAITING.items():
        os.environ.setdefault(name, value)


def fix_results(*, native: bool) -> None:
    """Make results the same on every x86-64 machine with AVX2; native: only on those with the same instructions.

    Overrides what the user has set. Elsewhere than on Linux, and on a processor without AVX2, as if native.
    """
    os.environ.update(FIXED)
    features = _processor_features()
    if not native and features >= {"avx2", "fma"}:
        os.environ.update(AVX2)
        os.environ[_OPENCV] = "AVX512-SKX" if features >= _AVX512_SKX else ""
    elif pinned():  # by the process that has started this one
        for name in (*AVX2, _OPENCV):
            del os.environ[name]


def pinned() -> bool:
    """Whether `fix_results` has pinned the instructions of this process."""
    return all(os.environ.get(name) == value for name, value in AVX2.items()) and _OPENCV in os.environ


def _processor_features() -> set[str]:
    """As Linux names them; empty on another system."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            return next((set(line.split()) for line in stream if line.startswith("flags")), set())
    except OSError:
        return set()
