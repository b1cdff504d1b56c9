"""python -m experiments.compare [METHOD]: a table of this commit's experiments, best first (default: bsn).

Shows what each experiment changed, the method's metrics on PFCN and their gain over the baseline, and for a failed or
killed job the reason.
"""

import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from dvc.utils.flatten import flatten
from rich.console import Console
from rich.table import Table

from bsn.errors import InputError
from experiments.commands import dvc, one_line
from study.git import head
from study.paper import BASELINE
from study.runner import run_stage
from study.tables.formats import percent, signed_percent

HEADLINE = "metrics/headline"
PROFILE_SECTIONS = ("data", "instructions", "networks", "validation")  # of profiles/<profile>.yaml
AGAIN = "queue it again: finished stages are kept"


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One row of the table.

    Attributes:
        name: DVC's name of the experiment; of the commit its branch or hash.
        changed: parameters that differ from the commit's.
        metrics: per method its `mean_iou` and `boundary_iou` on PFCN.
        state: state of its job, empty when done.
        reason: why its job failed, empty otherwise.
    """

    name: str
    changed: Mapping[str, Any]
    metrics: Mapping[str, Mapping[str, float]]
    state: str = ""
    reason: str = ""

    def score(self, method: str, measure: str) -> float | None:
        """Return a metric of a method; None where it has none."""
        return self.metrics.get(method, {}).get(measure)

    def gain(self, method: str, measure: str) -> float | None:
        """Return a metric's difference to the baseline; None where either has none."""
        ours, theirs = self.score(method, measure), self.score(BASELINE, measure)
        return None if ours is None or theirs is None else ours - theirs


def experiments(shown: list[dict[str, Any]], *, has_worker: Callable[[], bool]) -> list[Experiment]:
    """Read the commit and its experiments from `dvc exp show --json`.

    Args:
        shown: the parsed output.
        has_worker: says whether DVC's queue has a worker.
    """
    commit = next(entry for entry in shown if entry["rev"] != "workspace")
    own = _params(commit["data"])
    found = [Experiment(name=commit.get("name") or commit["rev"][:7], changed={}, metrics=_metrics(commit["data"]))]
    # DVC lists a job that has just been started twice, as running and as queued; the first entry counts.
    entries: dict[str, dict[str, Any]] = {}
    for entry in commit["experiments"] or []:
        entries.setdefault(entry["revs"][0]["rev"], entry)
    for entry in entries.values():
        last = entry["revs"][0]
        state, reason = _job(entry, has_worker)
        done = state in ("", "success")
        found.append(
            Experiment(
                name=entry["name"] or last["rev"][:7],
                changed=dict(_changes(_params(last["data"]), own)),
                # Until a running job writes its own metrics, its folder holds the commit's.
                metrics=_metrics(last["data"]) if done else {},
                state="" if done else state,
                reason=reason,
            )
        )
    return found


def _job(entry: Mapping[str, Any], has_worker: Callable[[], bool]) -> tuple[str, str]:
    """State of an experiment's job, and why it failed."""
    executor = entry["executor"] or {}
    job = executor.get("local") or {}
    state, pid = executor.get("state", ""), job.get("pid")
    if state == "failed":
        log = Path(job["log"]) if job.get("log") else None
        return state, failure_in(log.read_text(errors="replace") if log and log.exists() else "")
    if state == "running" and pid is not None and not psutil.pid_exists(pid) and not has_worker():
        return "dead", f"its worker was killed: dvc queue kill {entry['name']}, then {AGAIN}"
    return state, ""


def failure_in(log: str) -> str:
    """Return in one line why a job failed: the stage's last line in its log, or the signal that ended the stage."""
    lines = [text for line in log.splitlines() if (text := line.split("\r")[-1].strip())]
    errors = [number for number, line in enumerate(lines) if line.startswith("ERROR: ")]
    if not errors:
        return f"its job was killed; {AGAIN}"
    error = lines[errors[0]].removeprefix("ERROR: ")
    ended = re.search(r"failed to run: (.+), exited with (-?\d+)$", error)
    if ended is None:
        return error
    code = int(ended[2])
    # bash replaces itself by the command, whose signal is then the negative exit code; other shells add 128.
    number = -code if code < 0 else code - 128
    if number in set(signal.Signals):
        return f"{ended[1]} was ended by {signal.Signals(number).name}; {AGAIN}"
    return lines[errors[0] - 1]


def table(found: list[Experiment], method: str) -> Table:
    """Return the table in per cent, sorted by the method's mean IoU; rows without metrics come last."""
    rows = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title_justify="left", title=f"{method}, PFCN, %")
    rows.add_column("Experiment", no_wrap=True)
    rows.add_column("Changed")
    for name in ("Mean IoU", "gain", "Boundary IoU", "gain"):
        rows.add_column(name, justify="right", no_wrap=True)
    for one in sorted(found, key=lambda one: -(one.score(method, "mean_iou") or -1)):
        changed = " ".join(f"{key}={_compact(value)}" for key, value in one.changed.items())
        numbers = [
            text
            for measure in ("mean_iou", "boundary_iou")
            for text in (percent(one.score(method, measure)), _gain(one.gain(method, measure), method))
        ]
        rows.add_row(one.name, changed or "nothing", *([one.state, "", "", ""] if one.state else numbers))
    return rows


def compare(method: str = "bsn") -> None:
    """Print the table.

    Raises:
        InputError: there is no commit, DVC fails, or no experiment has the method.
    """
    head(Path())  # raises the reason where there is no commit
    try:
        found = experiments(json.loads(dvc("exp", "show", "--json", folder=Path())), has_worker=_has_worker)
    except subprocess.CalledProcessError as error:
        raise InputError(one_line(error)) from error
    known = sorted({name for one in found for name in one.metrics})
    if known and method not in known:
        raise InputError(f"method = {method!r} is refused; allowed: {', '.join(known)}")
    console = Console(highlight=False, markup=False, soft_wrap=False)
    console.print(table(found, method))
    for one in found:
        if one.reason:
            console.print(f"\n{one.name}: {one.reason}", soft_wrap=True)


def _params(data: Mapping[str, Any]) -> dict[str, Any]:
    """Those of params.yaml and the profile; parameters in other files follow from them."""
    flat: dict[str, Any] = {}
    for file, content in data["params"].items():
        if file == "params.yaml" or file.startswith("profiles/"):
            flat |= flatten(content["data"])
    return flat


def _metrics(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        method: numbers
        for file, content in data["metrics"].items()
        if file.startswith(HEADLINE)
        for method, numbers in content.get("data", {}).items()
    }


def _changes(params: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Changed parameters; of another profile its name alone."""
    same_profile = params.get("profile") == own.get("profile")
    for key in [*params, *(key for key in own if key not in params)]:
        if params.get(key) != own.get(key) and (same_profile or key.partition(".")[0] not in PROFILE_SECTIONS):
            yield key, params.get(key)


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":")).replace('"', "")


def _gain(gain: float | None, method: str) -> str:
    return percent(None) if gain is None or method == BASELINE else signed_percent(gain)


def _has_worker() -> bool:
    return "Worker status: 0 active, 0 idle" not in dvc("queue", "status", folder=Path())


if __name__ == "__main__":
    run_stage(compare)
