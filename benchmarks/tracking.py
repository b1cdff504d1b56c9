"""Time what MLflow costs a training, and how long the last stage waits for a server (goal: 2 s for one that fails).

    python -m benchmarks.tracking

Each round is a process of its own, as a stage is, that has loaded torch. The server is a real one: answering, hanging
(SIGSTOP), and not there.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.mlflow_server import Server

ROUNDS = 3
POINTS = 50
# What a training logs, with the smallest of networks.
TRAINING = f"""
import json, sys, time
from pathlib import Path
import numpy as np
from safetensors.torch import save_file
from bsn.models import build

folder, options = Path(sys.argv[1]), {{"classes": 2, "base_width": 2}}
method = folder / "portrait_fcn"
method.mkdir(exist_ok=True)
save_file(build("fcn8s", **options).state_dict(), method / "weights.safetensors")
(method / "model.json").write_text(json.dumps({{"network": "fcn8s", "options": options, "size": [64, 48]}}))
np.save(folder / "mean_mask.npy", np.zeros((800, 600), np.float32))

before = time.perf_counter()
from study.tracking.runs import RunSpec, start_run

params = {{f"key.{{number}}": number for number in range(120)}}
with start_run(RunSpec(experiment="bsn-benchmark", study=sys.argv[2], kind="method", name="bsn", params=params)) as run:
    for step in range({POINTS}):
        run.log_point({{"train/loss": 1.0, "train/lr": 0.1}}, step=step)
    run.log_model(method, aligned_mean_mask=folder / "mean_mask.npy")
print(time.perf_counter() - before)
"""
# A stage has MLflow loaded by then.
COPY = """
import time, warnings
import study.tracking.sync as sync
warnings.simplefilter("ignore")
before = time.perf_counter()
sync.copy_briefly()
print(time.perf_counter() - before)
"""


def main() -> None:
    """Print the table."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        print("| what | seconds |\n|---|---|", flush=True)
        print(f"| MLflow in one training | {seconds_per_training(folder):.2f} |", flush=True)
        (folder / "server").mkdir()
        server = Server(folder / "server")
        _row("down", folder, server.uri)
        server.start()
        _row("answers", folder, server.uri)
        server.signal(signal.SIGSTOP)
        _row("hangs", folder, server.uri)
        server.stop()


def seconds_per_training(folder: Path) -> float:
    """Median seconds that MLflow takes of one training: import, run, curves, model. folder: for the database."""
    _seconds(TRAINING, folder, str(folder), "first")  # creates the database
    return median(_seconds(TRAINING, folder, str(folder), f"study {number}") for number in range(ROUNDS))


def _row(name: str, folder: Path, uri: str) -> None:
    longest = max(_seconds(COPY, folder, uri=uri) for _ in range(ROUNDS))
    print(f"| copying to a server that is: {name}, with the import of MLflow | {longest:.2f} |", flush=True)


def _seconds(program: str, folder: Path, *arguments: str, uri: str = "") -> float:
    variables = {**os.environ, "DVC_ROOT": str(folder), "MLFLOW_TRACKING_URI": uri, "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, env=variables, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
