"""A Slurm cluster of this machine alone, of the installed programs, in a folder of its own."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import mkdtemp

from tests.ports import free_ports

PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "salloc", "sinfo")
CONFIGURATION = """\
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={0}
SlurmdPort={1}
SlurmUser=root
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
NodeName=localhost NodeAddr=127.0.0.1 CPUs=2
PartitionName=main Nodes=ALL Default=YES
"""


@contextmanager
def cluster() -> Iterator[dict[str, str]]:
    """The environment variables under which Slurm's commands find it.

    Raises OSError where it cannot be started, with the reason.
    """
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing or os.getuid():
        raise OSError(f"{', '.join(missing)} not found" if missing else "not root")
    # Not pytest's folder: the name of a socket must be short.
    folder = Path(mkdtemp(prefix="slurm"))
    (folder / "state").mkdir()
    (folder / "munge.key").write_bytes(os.urandom(64))
    (folder / "munge.key").chmod(0o400)
    (folder / "slurm.conf").write_text(CONFIGURATION.format(*free_ports(2), folder=folder))
    variables = {"SLURM_CONF": str(folder / "slurm.conf")}
    files = {name: folder / f"munge.{name}" for name in ("socket", "pid", "seed", "log")}
    munge = ["--key-file", folder / "munge.key", "--socket", files["socket"], "--pid-file", files["pid"]]
    munge += ["--seed-file", files["seed"], "--log-file", files["log"]]
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for command in (
            ["munged", "--foreground", "--force", *munge],
            ["slurmctld", "-D"],
            ["slurmd", "-D", "-N", "localhost"],
        ):
            log = stack.enter_context((folder / f"{command[0]}.log").open("w"))
            process = subprocess.Popen(command, env={**os.environ, **variables}, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        _wait(variables, folder)
        yield variables


def _wait(variables: dict[str, str], folder: Path) -> None:
    until = time.monotonic() + 120  # a busy machine
    while True:
        asked = subprocess.run(
            ["sinfo", "--noheader", "--format=%T"],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.stdout.strip() == "idle":
            return
        if time.monotonic() > until:
            logs = [log.read_text().strip().splitlines()[-1:] for log in folder.glob("*.log")]
            raise OSError(f"the node is {asked.stdout.strip() or asked.stderr.strip()}: {logs}")
        time.sleep(0.1)
