"""`pip install .`: the dependencies are what bsn/ imports, the wheel holds bsn/ alone, and `bsn` runs in any folder."""

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
# Optional packages, which may not be installed.
OPTIONAL = {"pillow_heif": "pillow-heif", "pydensecrf": "pydensecrf2"}


def normalised(requirement: str) -> str:
    """A distribution's name as PEP 503 writes it, without extras, versions and markers."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;]", requirement)[0]).lower()


def imported(file: Path) -> set[str]:
    """Top-level names of the packages that a module imports, at its top or later."""
    nodes = list(ast.walk(ast.parse(file.read_text("utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    return {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - {"bsn"}


def test_the_dependencies_are_what_bsn_imports():
    names = {name for file in (ROOT / "bsn").rglob("*.py") for name in imported(file)}
    installed = packages_distributions()
    required = {normalised(requirement) for requirement in PROJECT["dependencies"]}
    unknown = {}
    for name in names - set(OPTIONAL):
        providers = {normalised(distribution) for distribution in installed.get(name, [])}
        if not providers & required:
            unknown[name] = providers
        required -= providers
    assert unknown == {}
    assert required == set(), "required, and imported nowhere"
    extras = {normalised(package) for packages in PROJECT["optional-dependencies"].values() for package in packages}
    assert extras == set(OPTIONAL.values())
    assert set(OPTIONAL) <= names


@pytest.mark.parametrize("extra", PROJECT["optional-dependencies"])
def test_each_extra_is_pinned_for_the_study(extra):
    pinned = [line for line in (ROOT / f"requirements-{extra}.txt").read_text("utf-8").splitlines() if "==" in line]
    assert [normalised(line) for line in pinned] == PROJECT["optional-dependencies"][extra]


def pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(folder), str(ROOT))
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_bsn_alone(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    modules = {str(file.relative_to(ROOT)) for file in (ROOT / "bsn").rglob("*.py")}
    metadata = f"bsn_portraits-{PROJECT['version']}.dist-info/"
    assert {name for name in names if not name.startswith(metadata)} == modules


def test_the_command_runs_outside_of_the_checkout(wheel, tmp_path):
    pip("install", "--no-deps", "--no-index", "--quiet", "--target", str(tmp_path / "site"), str(wheel))
    (tmp_path / "work").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    for arguments, shown in (
        (["segment", "--help"], "usage: bsn segment "),
        (["score", "--help"], "usage: bsn score "),
        (["score", "nowhere", "nothing"], "score: nothing cannot be read: No such file or directory"),
    ):
        done = subprocess.run(
            [tmp_path / "site/bin/bsn", *arguments],
            cwd=tmp_path / "work",
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == ("--help" not in arguments), done.stderr
        assert (done.stdout + done.stderr).startswith(shown)
    code = "import bsn, pathlib; print(pathlib.Path(bsn.__file__).parents[1])"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "work", env=environment, capture_output=True, text=True
    )
    assert Path(found.stdout.strip()) == tmp_path / "site"
