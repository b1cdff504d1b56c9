"""The experiments of this commit on one screen: what each changed, a method beside its baseline, and why a job failed.

python -m experiments.compare            # BSN
python -m experiments.compare bsn_ik     # any other method
"""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bsn.errors import InputError
from experiments.commands import dvc, one_line
from study.git import head
from study.paper import BASELINE
from study.runner import run_stage
from study.tables.formats import percent, signed_percent

HEADLINE = "metrics/headline"
AGAIN = "queue it again: what it finished is kept"


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One row. changed: parameters that are not the commit's own; metrics: method -> mean_iou and boundary_iou on PFCN;
    state: of its job, empty where it is done; why: of a job that failed."""

    name: str
    changed: Mapping[str, Any]
    metrics: Mapping[str, Mapping[str, float]]
    state: str = ""
    why: str = ""

    def score(self, method: str, measure: str) -> float | None:
        return self.metrics.get(method, {}).get(measure)

    def gain(self, method: str, measure: str) -> float | None:
        ours, theirs = self.score(method, measure), self.score(BASELINE, measure)
        return None if ours is None or theirs is None else ours - theirs


def experiments(shown: list[dict[str, Any]], *, working: Callable[[], bool]) -> list[Experiment]:
    """The commit itself and its experiments, from `dvc exp show --json`. working: whether the queue has a worker."""
    commit = next(entry for entry in shown if entry["rev"] != "workspace")
    own = _params(commit["data"])
    found = [Experiment(name=commit.get("name") or commit["rev"][:7], changed={}, metrics=_metrics(commit["data"]))]
    # A job that is taken up just now is told as queued and as running.
    entries: dict[str, dict[str, Any]] = {}
    for entry in commit["experiments"] or []:
        entries.setdefault(entry["revs"][0]["rev"], entry)
    for entry in entries.values():
        last, executor = entry["revs"][0], entry["executor"] or {}
        job = executor.get("local") or {}
        log = Path(job["log"]) if job.get("log") else None
        state, why = executor.get("state", ""), ""
        if state == "failed":
            why = reason(log.read_text(errors="replace") if log and log.exists() else "")
        elif state == "running" and not _lives(job.get("pid")) and not working():
            state, why = "dead", f"its worker was killed: dvc queue kill {entry['name']}, then {AGAIN}"
        done = state in ("", "success")
        found.append(
            Experiment(
                name=entry["name"] or last["rev"][:7],
                changed=dict(_changes(_params(last["data"]), own)),
                # What lies in the folder of a job that is under way is still the commit's.
                metrics=_metrics(last["data"]) if done else {},
                state="" if done else state,
                why=why,
            )
        )
    return found


def reason(log: str) -> str:
    """Why a job failed, in a line of its log: what the stage said last, or the signal that ended it."""
    lines = [text for line in log.splitlines() if (text := line.split("\r")[-1].strip())]
    errors = [number for number, line in enumerate(lines) if line.startswith("ERROR: ")]
    if not errors:
        return f"its job was killed; {AGAIN}"
    error = lines[errors[0]].removeprefix("ERROR: ")
    ended = re.search(r"failed to run: (.+), exited with (-?\d+)$", error)
    if ended is None:
        return error
    if (number := _signal(int(ended[2]))) in set(signal.Signals):
        return f"{ended[1]} was ended by {signal.Signals(number).name}; {AGAIN}"
    return lines[errors[0] - 1]


def table(found: list[Experiment], method: str) -> Table:
    """Best first by the method's mean IoU; what has no numbers comes last. All in per cent, on PFCN."""
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title_justify="left", title=f"{method}, PFCN, %")
    drawn.add_column("Experiment", no_wrap=True)
    drawn.add_column("Changed")
    for name in ("Mean IoU", "gain", "Boundary IoU", "gain"):
        drawn.add_column(name, justify="right", no_wrap=True)
    for one in sorted(found, key=lambda one: -(one.score(method, "mean_iou") or -1)):
        changed = " ".join(f"{key}={_written(value)}" for key, value in one.changed.items())
        numbers = [
            text
            for measure in ("mean_iou", "boundary_iou")
            for text in (percent(one.score(method, measure)), _gained(one.gain(method, measure), method))
        ]
        drawn.add_row(one.name, changed or "nothing", *([one.state, "", "", ""] if one.state else numbers))
    return drawn


def compare(method: str = "bsn") -> None:
    head(Path())  # experiments start from a commit; where there is none, this says why
    try:
        found = experiments(json.loads(dvc("exp", "show", "--json", folder=Path())), working=_working)
    except subprocess.CalledProcessError as error:
        raise InputError(one_line(error)) from error
    known = sorted({name for one in found for name in one.metrics})
    if known and method not in known:
        raise InputError(f"method = {method!r} is refused; allowed: {', '.join(known)}")
    console = Console(highlight=False, markup=False, soft_wrap=False)
    console.print(table(found, method))
    for one in found:
        if one.why:
            console.print(f"\n{one.name}: {one.why}", soft_wrap=True)


def _signal(code: int) -> int:
    """That an exit code tells of, if any. Bash puts the command in its own place, which gives the negative of a signal;
    other shells wait for the command, and say 128 more than the signal."""
    return -code if code < 0 else code - 128


def _params(data: Mapping[str, Any]) -> dict[str, Any]:
    """Of params.yaml and the profile; what other files hold follows from them."""
    flat: dict[str, Any] = {}
    for file, content in data["params"].items():
        if file == "params.yaml" or file.startswith("profiles/"):
            flat |= _flat(content["data"])
    return flat


def _metrics(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        method: numbers
        for file, content in data["metrics"].items()
        if file.startswith(HEADLINE)
        for method, numbers in content.get("data", {}).items()
    }


def _changes(params: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Another profile is told by its name alone."""
    whole = params.get("profile") == own.get("profile")
    for key in [*params, *(key for key in own if key not in params)]:
        if params.get(key) != own.get(key) and (whole or not key.startswith(("data.", "networks."))):
            yield key, params.get(key)


def _flat(content: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(content, dict):
        return {prefix: content}
    return {
        name: value
        for key, inner in content.items()
        for name, value in _flat(inner, f"{prefix}.{key}" if prefix else str(key)).items()
    }


def _written(value: Any) -> str:
    return json.dumps(value, separators=(",", ":")).replace('"', "")


def _gained(gain: float | None, method: str) -> str:
    return percent(None) if gain is None or method == BASELINE else signed_percent(gain)


def _lives(pid: int | None) -> bool:
    if pid is None:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _working() -> bool:
    return "Worker status: 0 active, 0 idle" not in dvc("queue", "status", folder=Path())


if __name__ == "__main__":
    run_stage(compare)
