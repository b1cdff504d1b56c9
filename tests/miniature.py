"""The project on six photos and three iterations per phase: its profile, and a folder in which the pipeline has run."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from dvc.repo import Repo
from dvc.stage import PipelineStage
from networkx import ancestors

ROOT = Path(__file__).parents[1]
TRAINED = ["portrait_fcn", "portrait_deeplab", "bsn_ac", "bsn_gk", "bsn_ik", "bsn"]


def miniature() -> dict:
    """The sketch profile, scaled down."""
    profile = yaml.safe_load((ROOT / "profiles/sketch.yaml").read_text())
    profile["data"]["draw"].update(
        pfcn={"train": 6, "test": 3},
        coco={"portraits": 2, "others": 1},
        cocostuff={"portraits": 1, "others": 1},
        voc={"portraits": 2, "others": 1},
    )
    profile["validation"] = [2, 3]
    for network in profile["networks"].values():
        network.update(size=[64, 48], crop=[48, 40], base_width=8, batch=2)
        for phase in network["phases"]:
            phase["iterations"] = 3
    return profile


class Project:
    """A copy of this project in its own folder, with its own git repository, DVC cache and MLflow database.

    Attributes:
        output: stdout and stderr of the last command.
        first_output: those of the first `make repro`.
    """

    def __init__(self, folder: Path, first_output: str = "") -> None:
        self.folder = folder
        self.output = ""
        self.first_output = first_output

    def run(self, *command: str) -> str:
        """Run a command that must succeed, and return its output."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment(), capture_output=True, text=True, check=False
        )
        self.output = done.stdout + done.stderr
        assert done.returncode == 0, self.output[-4000:]
        return self.output

    @staticmethod
    def environment() -> dict[str, str]:
        """Variables for its commands: `python` is this interpreter, and the user's settings are left out."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DVC", "MLFLOW", "GIT"))}
        return {**kept, "PATH": path}

    @property
    def first(self) -> set[str]:
        """Stages that the first `make repro` ran."""
        return stages_in(self.first_output)

    def stages_that_ran(self) -> set[str]:
        """Stages that the last command ran."""
        return stages_in(self.output)

    def invalidated(self) -> set[str]:
        """Stages that are changed, and those that depend on them.

        Without `check`, which reads every parameter, but whose out stays the same.
        """
        changed = set(json.loads(self.run("dvc", "status", "--json"))) - {"check"}
        with Repo(str(self.folder)) as repo:
            graph = repo.index.graph
            return {
                address(later)
                for stage in graph
                if address(stage) in changed
                for later in (stage, *ancestors(graph, stage))
            }


def address(stage: PipelineStage) -> str:
    """Name of a stage as DVC prints it in the project's folder."""
    return stage.name if stage.path_in_repo == "dvc.yaml" else f"{stage.path_in_repo}:{stage.name}"


def stages_in(output: str) -> set[str]:
    """Names of the stages that DVC's output reports as run."""
    return set(re.findall(r"Running stage '([^']+)'", output))


def build(folder: Path) -> Project:
    """Copy the project's sources to a new folder, run the pipeline there with the miniature profile, and commit."""
    empty = folder.with_name(f"{folder.name}-empty.git")
    # Listed by an empty repository, as this may be a ZIP download, or another user's folder in a container.
    subprocess.run(["git", "init", "--quiet", "--bare", empty], check=True)
    listed = subprocess.run(
        ["git", f"--git-dir={empty}", f"--work-tree={ROOT}", "ls-files", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.split("\0"):
        # What the last run of the pipeline left in git is not part of a fresh start.
        if (
            (name.split("/")[0] in ("metrics", "reports", "tests") and not name.endswith(".gitignore"))
            or name.endswith("dvc.lock")
            or not (ROOT / name).is_file()
        ):
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "profiles/mini.yaml").write_text(yaml.safe_dump(miniature()))
    params = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(params.replace("profile: sketch", "profile: mini"))
    made = Project(folder)
    made.run("git", "init", "--quiet")
    made.run("git", "config", "user.email", "test@example.org")
    made.run("git", "config", "user.name", "test")
    made.first_output = made.run("python", "-m", "experiments.repro")  # as `make repro`
    made.run("git", "add", "--all")
    made.run("git", "commit", "--quiet", "--message", "the miniature study")
    return made
