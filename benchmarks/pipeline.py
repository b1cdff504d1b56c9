"""What DVC and tracking cost the study, and what a `dvc repro` with nothing to do takes.

    python -m benchmarks.pipeline [PROFILE]

In a clone of the last commit, without anybody's cache: `dvc repro` from nothing, the same with nothing to do, and then
the same stages one by one without DVC and without MLflow, in the same order on the same machine. Takes twice as long
as the study.
"""

import shlex
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import yaml
from dvc.repo import Repo

from benchmarks.sketch import in_order
from experiments.clean import clone, environment

ROOT = Path(__file__).parents[1]
TRACKING_ONLY = "record"
IDLE = 5  # times that nothing is done


def main() -> None:
    """Print the table."""
    with TemporaryDirectory(prefix="pipeline-") as scratch:
        folder = Path(scratch) / "clone"
        clone(ROOT, folder)
        if sys.argv[1:]:
            params = yaml.safe_load((folder / "params.yaml").read_text())
            (folder / "params.yaml").write_text(yaml.safe_dump({**params, "profile": sys.argv[1]}))
        variables = environment(Path(scratch) / "settings")
        print("| run | seconds |\n|---|---|", flush=True)
        whole = _seconds(["dvc", "repro", "--force", "--no-run-cache"], folder, variables)
        print(f"| `dvc repro` from nothing, with its tracking | {whole:.0f} |", flush=True)
        idle = median(_seconds(["dvc", "repro"], folder, variables) for _ in range(IDLE))
        print(f"| `dvc repro` with nothing to do (goal 3), median of {IDLE} | {idle:.1f} |", flush=True)
        with Repo(str(folder)) as repo:
            stages = [stage for stage in in_order(repo) if stage.name != TRACKING_ONLY]
        plain = 0.0
        for stage in stages:
            _, *module = shlex.split(stage.cmd)[1:]
            plain += _seconds(["python", "-m", "benchmarks.untracked", *module], folder, variables)
        print(f"| its {len(stages)} stages one by one, without DVC and MLflow | {plain:.0f} |")
    print(f"\nDVC and tracking add {100 * (whole / plain - 1):+.1f} % (goal 5 %).")


def _seconds(command: list[str], folder: Path, variables: dict[str, str]) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
