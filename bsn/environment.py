"""Environment variables for reproducible numbers. Set them before numpy, OpenCV, scipy and torch are imported."""

import os

# Let waiting OpenMP threads sleep. By default they spin, and a training beside other work takes ten times as long: the
# spinning thread occupies the core that the thread it waits for needs.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}

# Make results independent of the number of cores, and of where an array lies in memory. torch's threads are set where
# it computes (bsn.training.launch).
FIXED = {
    "OMP_DYNAMIC": "FALSE",  # as many threads as torch requests, on a busy machine too
    "OPENBLAS_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
    # Intel's primitives in OpenCV: the last digits of a distance transform change with the array's address.
    "OPENCV_IPP": "disabled",
    "OPENCV_LOG_LEVEL": "ERROR",  # else every process logs a warning that they are disabled
}

# Each library uses the newest instruction set of the processor, and each set rounds differently.
AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # torch's convolutions
    "MKL_CBWR": "COMPATIBLE",  # torch's matrix products; "AVX2" pins nothing on a processor that is not Intel's
    "OPENBLAS_CORETYPE": "Haswell",  # the matrix products of numpy, of scipy and of OpenCV
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",  # all that numpy has beyond AVX2
}
# OpenCV's instruction sets beyond AVX2. It warns if the variable names one that the processor lacks.
_OPENCV, _AVX512_SKX = "OPENCV_CPU_DISABLE", {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}


def wait_passively() -> None:
    """Let waiting OpenMP threads sleep, unless the user has set OMP_WAIT_POLICY."""
    for name, value in WAITING.items():
        os.environ.setdefault(name, value)


def fix_results(*, native: bool) -> None:
    """Make results the same on every x86-64 machine with AVX2. Overrides variables that the user has set.

    Args:
        native: use the processor's newest instructions instead; results are then the same only on machines with the
            same instructions. Processors without AVX2, and other systems than Linux, always use them.
    """
    os.environ.update(FIXED)
    features = _processor_features()
    if not native and features >= {"avx2", "fma"}:
        os.environ.update(AVX2)
        os.environ[_OPENCV] = "AVX512-SKX" if features >= _AVX512_SKX else ""
    elif pinned():  # by the parent process
        for name in (*AVX2, _OPENCV):
            del os.environ[name]


def pinned() -> bool:
    """Whether `fix_results` has pinned this process to AVX2."""
    return all(os.environ.get(name) == value for name, value in AVX2.items()) and _OPENCV in os.environ


def instructions() -> str:
    """Name the instruction set that torch uses: the CPU's newest, such as AVX512, or "AVX2, pinned".

    Results depend on it, because oneDNN sums in another order with AVX2 than with AVX-512.
    """
    import torch  # late: the variables above must be set before

    found = torch.backends.cpu.get_cpu_capability()
    return f"{found}, pinned" if pinned() else found


def _processor_features() -> set[str]:
    """Flags in /proc/cpuinfo; empty on other systems than Linux."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            return next((set(line.split()) for line in stream if line.startswith("flags")), set())
    except OSError:
        return set()
