"""What DVC and tracking cost the study, and what a `dvc repro` with nothing to do takes.

    python -m benchmarks.pipeline [PROFILE]

In a clone of the last commit, without anybody's cache: one `dvc repro` from nothing, in which each stage runs twice,
as it is and without MLflow, one right after the other (benchmarks/turns.py). A machine that is slow for some minutes is
slow for both. What passes between the stages is DVC's. Takes twice as long as the study.
"""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import yaml
from dvc.repo import Repo

from benchmarks.sketch import in_order
from benchmarks.turns import prepare, told
from experiments.clone import clone, environment

ROOT = Path(__file__).parents[1]
IDLE = 5  # times that nothing is done


def main() -> None:
    """Print the table."""
    with TemporaryDirectory(prefix="pipeline-") as scratch:
        folder, turns = Path(scratch) / "clone", Path(scratch) / "turns"
        clone(ROOT, folder)
        if sys.argv[1:]:
            params = yaml.safe_load((folder / "params.yaml").read_text())
            (folder / "params.yaml").write_text(yaml.safe_dump({**params, "profile": sys.argv[1]}))
        variables = environment(Path(scratch) / "settings")
        twice = prepare(turns, _outs(folder))
        whole = _seconds(["dvc", "repro", "--force", "--no-run-cache"], folder, variables | twice)
        idle = median(_seconds(["dvc", "repro"], folder, variables) for _ in range(IDLE))
        stages, waited = told(turns)
    plain = sum(stage.plain for stage in stages)
    tracking = sum(stage.tracked - stage.plain for stage in stages)
    dvc = whole - waited
    print("| what | seconds |\n|---|---|")
    print(f"| the stages, without MLflow | {plain:.0f} |")
    print(f"| tracking adds to them | {tracking:.1f} |")
    print(f"| DVC adds | {dvc:.1f} |")
    print(f"| `dvc repro` with nothing to do (goal 3), median of {IDLE} | {idle:.1f} |")
    print(f"\nDVC and tracking add {100 * (dvc + tracking) / plain:+.1f} % (goal 5 %).\n")
    print("| stage | without MLflow | tracking adds |\n|---|---|---|")
    for stage in sorted(stages, key=lambda stage: stage.plain - stage.tracked)[:8]:
        print(f"| {stage.name} | {stage.plain:.1f} | {stage.tracked - stage.plain:+.1f} |")


def _outs(folder: Path) -> dict[str, list[str]]:
    """By stage what DVC takes away before it runs."""
    with Repo(str(folder)) as repo:
        return {
            stage.name: [str(Path(out.fs_path).relative_to(folder)) for out in stage.outs if not out.persist]
            for stage in in_order(repo)
        }


def _seconds(command: list[str], folder: Path, variables: dict[str, str]) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
