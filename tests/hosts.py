"""Two hosts that share nothing but a cable: network namespaces, each with a name and a disk of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Host:
    """A network namespace, and the folder that is its disk. address: where the other host reaches it."""

    name: str
    address: str
    folder: Path

    def start(self, *command: str) -> subprocess.Popen[str]:
        """A command of this environment in the host's folder, under the path that both have for theirs."""
        place = self.folder.parent / "project"
        # Its own name is not to be found in any table, or is 127.0.1.1: that is how Debian installs a host.
        script = 'hostname "$1" && mount --bind "$2" "$3" && cd "$3" && shift 3 && exec "$@"'
        inside = ["unshare", "--uts", "--mount", "sh", "-c", script, "sh", self.name, self.folder, place, *command]
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return subprocess.Popen(
            ["ip", "netns", "exec", self.name, *inside],
            env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def power_off(self) -> None:
        """Kill all that runs on it."""
        for number in _ip("netns", "pids", self.name).split():
            subprocess.run(["kill", "-KILL", number], stderr=subprocess.DEVNULL, check=False)

    def pull_cable(self) -> None:
        """Nothing reaches it any more, and nobody is told."""
        _ip("-n", self.name, "link", "set", "cable", "down")

    def plug_cable(self) -> None:
        """As it was."""
        _ip("-n", self.name, "link", "set", "cable", "up")


@contextmanager
def two_hosts(folder: Path) -> Iterator[tuple[Host, Host]]:
    """The hosts, each with an empty folder in `folder`; they are gone afterwards, and all that runs on them.

    Raises OSError, with the reason, where this machine does not let us make them.
    """
    (folder / "project").mkdir()
    names = [f"bsn{os.getpid()}{letter}" for letter in "ab"]
    hosts = tuple(Host(name, f"10.77.0.{number}", folder / name) for number, name in enumerate(names, start=1))
    try:
        for host in hosts:
            host.folder.mkdir()
            _ip("netns", "add", host.name)
        first, second = names
        _ip("link", "add", "cable", "netns", first, "type", "veth", "peer", "name", "cable", "netns", second)
        for host in hosts:
            _ip("-n", host.name, "address", "add", f"{host.address}/24", "dev", "cable")
            for interface in ("lo", "cable"):
                _ip("-n", host.name, "link", "set", interface, "up")
            tried = host.start("true")
            if tried.wait():
                raise OSError(tried.stdout.read().strip())
        yield hosts
    finally:
        for host in hosts:
            if host.folder.exists() and host.name in _ip("netns", "list"):
                host.power_off()
                _ip("netns", "delete", host.name)


def _ip(*arguments: str) -> str:
    """Raises OSError with what `ip` says, or because it is not there."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
