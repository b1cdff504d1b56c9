"""What it costs to pin the instruction set (bsn.environment): a training step with the pin and without, in turns.

    python -m benchmarks.instructions

On a processor without AVX-512 this is the cost of MKL's compatible products alone. As benchmarks.neighbours it needs
the data of this checkout.
"""

from statistics import median

from benchmarks.neighbours import METHOD, STEPS, counted, started
from study.runner import run_stage

ROUNDS = 3


def instructions() -> None:
    """Print the line."""
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(ROUNDS):
        for native, measured in seconds.items():
            begun, ended = counted(started(native=native))
            measured.append((ended - begun) / (STEPS - 10))
    pinned, native = median(seconds[False]), median(seconds[True])
    ratios = ", ".join(f"{one / other:.2f}" for one, other in zip(*seconds.values(), strict=True))
    print(f"{METHOD}: {pinned:.3f} s per step pinned, {native:.3f} native, {pinned / native:.2f} x (by round {ratios})")


if __name__ == "__main__":
    run_stage(instructions)
