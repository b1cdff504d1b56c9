"""Time `make repro` after the installation: every stage, the whole, and what DVC and tracking add.

    python -m benchmarks.sketch

Runs it in a clone of the last commit with an empty cache, then each stage's program with `--help`, which is the floor
of its processor time: the start of Python and the imports. Memory is that of a stage's largest process. DVC's share
includes all that `make repro` does itself, such as the import of PyMatting, which compiles it in a new environment.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.tracking import seconds_per_training
from experiments.clone import clone, clone_variables

ROOT = Path(__file__).parents[1]
GOAL = 480  # seconds for the whole
IDLE = 5  # times that `dvc repro` has nothing to do
# In the place of the shell in which DVC runs a stage: `$SHELL -c COMMAND`.
SHELL = f"""#!{sys.executable} -S
import json, os, sys, time
started = time.time()
_, status, used = os.wait4(os.posix_spawn("/bin/sh", ["/bin/sh", *sys.argv[1:]], os.environ), 0)
row = {{
    "stage": os.environ["DVC_STAGE"],
    "program": sys.argv[-1].split()[2],  # of python -m PROGRAM ARGUMENT
    "seconds": time.time() - started,
    "cpu": used.ru_utime + used.ru_stime,
    "megabytes": used.ru_maxrss / 1024,
}}
with open(os.environ["BENCHMARK_STAGES"], "a") as file:
    file.write(json.dumps(row) + "\\n")
sys.exit(os.waitstatus_to_exitcode(status))
"""


def main() -> None:
    """Print the tables."""
    with TemporaryDirectory(prefix="sketch-") as scratch:
        shell, stages = Path(scratch) / "shell", Path(scratch) / "stages"
        _, folder = clone(ROOT, Path(scratch) / "clone")
        shell.write_text(SHELL)
        shell.chmod(0o755)
        variables = clone_variables(Path(scratch) / "settings")
        timed = variables | {"SHELL": str(shell), "BENCHMARK_STAGES": str(stages)}
        whole, cpu = _measure(["python", "-m", "experiments.repro"], folder, timed)
        idle = median(_measure(["dvc", "repro"], folder, variables)[0] for _ in range(IDLE))
        rows = [json.loads(line) for line in stages.read_text().splitlines()]
        starts = {
            name: _measure(["python", "-m", name, "--help"], folder, variables)[1]
            for name in {row["program"] for row in rows}
        }
        trainings = [row for row in rows if row["stage"].startswith("train@")]
        record = sum(row["cpu"] for row in rows if row["stage"] == "record")
        tracking = record + len(trainings) * seconds_per_training(Path(scratch))

    print("| stage | seconds | CPU s | of its start | peak memory, MB |\n|---|---|---|---|---|")
    for row in rows:
        ratio = row["cpu"] / starts[row["program"]]
        print(f"| {row['stage']} | {row['seconds']:.1f} | {row['cpu']:.1f} | {ratio:.1f} x | {row['megabytes']:.0f} |")
    spent = sum(row["cpu"] for row in rows)
    plain, dvc = spent - tracking, cpu - spent
    print(f"\n| whole | value |\n|---|---|\n| `make repro` (goal {GOAL}), s | {whole:.0f} |")
    print(f"| its stages, without MLflow, CPU s | {plain:.0f} |")
    for part, seconds, goal in (("DVC adds", dvc, 3), ("DVC and tracking add", dvc + tracking, 5)):
        share = 100 * seconds / plain
        print(f"| {part} (goal {goal} %), CPU s | {seconds:.0f} ({share:.1f} %) |")
    print(f"| `dvc repro` with nothing to do (goal 2), median of {IDLE}, s | {idle:.1f} |")


def _measure(command: list[str], folder: Path, variables: dict[str, str]) -> tuple[float, float]:
    """Seconds and processor seconds of a command that must succeed."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
