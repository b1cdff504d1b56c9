"""A stage twice, as it is and without MLflow, in the place of the shell in which DVC runs it: `$SHELL -c COMMAND`."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_FOLDER = "BENCHMARK_TURNS"  # the variable that names the folder of these:
_OUTS = "outs.json"  # a stage's outputs, by its name
_TURNS = "turns.jsonl"  # a `Turn` a line
_SPANS = "spans"  # from when to when DVC waited for a stage, in nanoseconds

# What Python's own start costs here is not DVC's.
_SHELL = f"""#!/bin/sh
start=$(date +%s%N)
python -m benchmarks.turns "$@"
code=$?
echo "$start $(date +%s%N)" >> "${_FOLDER}/{_SPANS}"
exit $code
"""
_TRACKING_ONLY = "record"


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One stage's seconds."""

    name: str
    tracked: float
    plain: float


def prepare(folder: Path, outs: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Variables that have DVC run each stage twice and tell of it in the new `folder`.

    outs: by a stage's name what is taken away before each time, as DVC does before the first.
    """
    folder.mkdir()
    (folder / _OUTS).write_text(json.dumps(outs))
    shell = folder / "shell"
    shell.write_text(_SHELL)
    shell.chmod(0o755)
    return {"SHELL": str(shell), _FOLDER: str(folder)}


def told(folder: Path) -> tuple[list[Turn], float]:
    """The stages, and the seconds for which DVC waited for them."""
    spans = [line.split() for line in (folder / _SPANS).read_text().splitlines()]
    waited = sum(int(end) - int(start) for start, end in spans) / 1e9
    return [Turn(**json.loads(line)) for line in (folder / _TURNS).read_text().splitlines()], waited


def main() -> None:
    """Run both, and append a line. The one that goes first changes from stage to stage."""
    folder, name = Path(os.environ[_FOLDER]), os.environ["DVC_STAGE"]
    _, _, command = sys.argv
    python, option, *module = shlex.split(command)
    ways = {"tracked": [python, option, *module], "plain": [python, option, "benchmarks.untracked", *module]}
    log = folder / _TURNS
    order = list(ways)
    if log.exists() and len(log.read_text().splitlines()) % 2:
        order.reverse()
    outs = [Path(out) for out in json.loads((folder / _OUTS).read_text())[name]]
    seconds = {"tracked": 0.0, "plain": 0.0}
    for way in order:
        if (way, name) == ("plain", _TRACKING_ONLY):
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
