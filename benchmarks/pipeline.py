"""Time what DVC and tracking cost the study, and a `dvc repro` with nothing to do.

    python -m benchmarks.pipeline [PROFILE]

Runs `dvc repro` once in a clone of the last commit with an empty cache. What passes between the stages is DVC's;
tracking is the stage `record` and, for each training, what `benchmarks.tracking` measures of one.
"""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import yaml

from benchmarks.tracking import seconds_per_training
from experiments.clone import clone, clone_variables

ROOT = Path(__file__).parents[1]
IDLE = 5  # times that nothing is done
# In the place of the shell in which DVC runs a stage: `$SHELL -c COMMAND`.
SHELL = """#!/bin/sh
start=$(date +%s%N)
/bin/sh "$@"
code=$?
echo "$DVC_STAGE $start $(date +%s%N)" >> "$BENCHMARK_SPANS"
exit $code
"""


def main() -> None:
    """Print the table."""
    with TemporaryDirectory(prefix="pipeline-") as scratch:
        folder, shell, spans = (Path(scratch) / name for name in ("clone", "shell", "spans"))
        clone(ROOT, folder)
        if sys.argv[1:]:
            params = yaml.safe_load((folder / "params.yaml").read_text())
            (folder / "params.yaml").write_text(yaml.safe_dump({**params, "profile": sys.argv[1]}))
        shell.write_text(SHELL)
        shell.chmod(0o755)
        variables = clone_variables(Path(scratch) / "settings")
        timed = variables | {"SHELL": str(shell), "BENCHMARK_SPANS": str(spans)}
        whole = _seconds(["dvc", "repro", "--force", "--no-run-cache"], folder, timed)
        idle = median(_seconds(["dvc", "repro"], folder, variables) for _ in range(IDLE))
        stages = dict(_stage(line) for line in spans.read_text().splitlines())
        trainings = sum(name.startswith("train@") for name in stages)
        tracking = stages["record"] + trainings * seconds_per_training(Path(scratch))
    plain, dvc = sum(stages.values()) - tracking, whole - sum(stages.values())
    print("| part | seconds |\n|---|---|")
    print(f"| the stages, without MLflow | {plain:.0f} |")
    print(f"| tracking adds to them | {tracking:.1f} |")
    print(f"| DVC adds | {dvc:.1f} |")
    print(f"| `dvc repro` with nothing to do (goal 2), median of {IDLE} | {idle:.1f} |")
    print(f"\nDVC and tracking add {100 * (dvc + tracking) / plain:+.1f} % (goal 5 %).\n")


def _stage(line: str) -> tuple[str, float]:
    name, start, end = line.split()
    return name, (int(end) - int(start)) / 1e9


def _seconds(command: list[str], folder: Path, variables: dict[str, str]) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
