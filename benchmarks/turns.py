"""A stage twice, as it is and without MLflow, in the place of the shell in which DVC runs it: `$SHELL -c COMMAND`."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = "BENCHMARK_TURNS"  # the variable that names the folder of these:
OUTS = "outs.json"  # a stage's outputs, by its name
SECONDS = "seconds.jsonl"  # a `Turn` a line
STARTED = "started"  # when DVC started and ended a stage, in nanoseconds

# What Python's own start costs here is not DVC's.
SHELL = f"""#!/bin/sh
start=$(date +%s%N)
python -m benchmarks.turns "$@"
code=$?
echo "$start $(date +%s%N)" >> "${FOLDER}/{STARTED}"
exit $code
"""
TRACKING_ONLY = "record"


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One stage's seconds."""

    name: str
    tracked: float
    plain: float


def main() -> None:
    """Run both, and append a line to the seconds. The one that goes first changes from stage to stage."""
    folder, name = Path(os.environ[FOLDER]), os.environ["DVC_STAGE"]
    _, _, command = sys.argv
    python, option, *module = shlex.split(command)
    ways = {"tracked": [python, option, *module], "plain": [python, option, "benchmarks.untracked", *module]}
    log = folder / SECONDS
    order = list(ways)
    if log.exists() and len(log.read_text().splitlines()) % 2:
        order.reverse()
    outs = [Path(out) for out in json.loads((folder / OUTS).read_text())[name]]
    seconds = {"tracked": 0.0, "plain": 0.0}
    for way in order:
        if (way, name) == ("plain", TRACKING_ONLY):
            continue
        _take_away(outs)
        before = time.perf_counter()
        subprocess.run(ways[way], check=True)
        seconds[way] = time.perf_counter() - before
    with log.open("a") as stream:
        stream.write(json.dumps(asdict(Turn(name=name, **seconds))) + "\n")


def _take_away(outs: list[Path]) -> None:
    for out in outs:
        if out.is_dir():
            shutil.rmtree(out)
        else:
            out.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
