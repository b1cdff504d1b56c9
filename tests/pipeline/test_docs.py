"""Command blocks of README.md, CONTRIBUTING.md and docs/ run in the miniature, unless the page says why not."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import cv2
import onnx
import pytest

from study.datasets.index import read_index
from tests.miniature import ROOT, Project, stages_in

DOCS = [f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md"))]
PAGES = ["README.md", "CONTRIBUTING.md", *DOCS, "reports/lite/README.md"]
# In Markdown the comment is invisible: <!-- not run: the reason --> on the line above a block.
BLOCK = re.compile(r"^(?:<!-- not run: (?P<reason>[^\n]+) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$", re.M | re.S)
COMMANDS = re.compile(r"(?m)^(dvc|make|python|git|pip|torchrun|mlflow|dask) ")


def a_portrait_is_cut_out(folder: Path, output: str) -> None:
    height, width = cv2.imread(str(folder / "me.jpg")).shape[:2]
    assert cv2.imread(str(folder / "cut/me.png"), cv2.IMREAD_UNCHANGED).shape == (height, width, 4)


def portraits_get_backgrounds_and_a_network_is_exported(folder: Path, output: str) -> None:
    a_portrait_is_cut_out(folder, output)
    for photo, picture in (("holiday/a.jpg", "cut/a_background.png"), ("2026/june/b.jpg", "cut/b_cartoon.png")):
        assert cv2.imread(str(folder / picture)).shape == cv2.imread(str(folder / photo)).shape
    exported = onnx.load(str(folder / "bsn.onnx"))
    assert {entry.key: entry.value for entry in exported.metadata_props}["method"] == "bsn"


def a_method_of_the_users_own_learns_two_attributes(folder: Path, output: str) -> None:
    # attributes@hair and attributes@none rerun because of the new CSV beside hair.csv; their outs stay the same.
    width_15 = {"train@bsn_ik", "train@bsn"}
    assert {stage for stage in stages_in(output) if stage.startswith("train@")} - width_15 == {"train@mine"}
    labels = (folder / "data/attributes/both.csv").read_text().splitlines()
    assert labels[0] == "id,hair,hair.source,glasses,glasses.source"
    assert json.loads((folder / "models/mine/model.json").read_text())["options"]["attributes"] == 2
    assert json.loads((folder / "metrics/methods/mine.json").read_text())["sets"]["pfcn"]["photos"] == 3


# What a page's blocks must have done.
CHECKS = {
    "README.md": a_portrait_is_cut_out,
    "docs/own-photos.md": portraits_get_backgrounds_and_a_network_is_exported,
    "docs/experiments.md": a_method_of_the_users_own_learns_two_attributes,
}


@dataclass(frozen=True)
class Block:
    """One fenced block. reason: why it is not run, "" for one that is run."""

    line: int
    language: str
    code: str
    reason: str


def blocks(page: str) -> list[Block]:
    """All fenced blocks of a page."""
    text = (ROOT / page).read_text("utf-8")
    return [
        Block(text.count("\n", 0, found.start()) + 1, found["language"], found["code"], found["reason"] or "")
        for found in BLOCK.finditer(text)
    ]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_in_a_block_that_is_run_or_states_why_not(page):
    text = (ROOT / page).read_text("utf-8")
    assert len(blocks(page)) == len(re.findall(r"(?m)^```", text)) / 2
    assert len(re.findall("<!-- not run", text)) == len([block for block in blocks(page) if block.reason])
    for block in blocks(page):
        assert block.language in ("", "sh", "python"), block
        assert block.language or not COMMANDS.search(block.code), block


@pytest.fixture(scope="module")
def desk(project) -> Project:
    """The miniature with the photos, masks and attribute labels that the pages name, and a ready environment."""
    folder = project.folder
    kept = [row.id for row in read_index(folder / "data/portraits/pfcn/index.csv") if row.kept]
    pictures = {file.stem: file for file in (folder / "data/portraits/pfcn/images").iterdir()}
    photos = [cv2.imread(str(pictures[name])) for name in kept[:3]]
    for name, photo in zip(
        ("me.jpg", "holiday/a.jpg", "2026/june/b.jpg", "beach.jpg"), [*photos, photos[0]], strict=True
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), photo)
    masks = sorted((folder / "data/portraits/pfcn/masks").iterdir())[:3]
    for name in ("ours", "theirs", "truth"):
        (folder / name).mkdir()
        for mask in masks:
            shutil.copy(mask, folder / name)
    (folder / "attributes/glasses.csv").write_text(
        "\n".join(["id,glasses", *(f"{name},{'yes' if number % 2 else 'no'}" for number, name in enumerate(kept)), ""])
    )
    (folder / ".venv").mkdir()
    (folder / ".venv/installed").touch()
    project.run("git", "add", "--all")
    project.run("git", "commit", "--quiet", "--message", "what a user has")
    return project


@pytest.mark.parametrize("page", [page for page in PAGES if any(b.language and not b.reason for b in blocks(page))])
def test_the_command_blocks_of_a_page_run_in_order(page, desk):
    output = ""
    for block in blocks(page):
        if block.language and not block.reason:
            command = ("bash", "-euo", "pipefail", "-c") if block.language == "sh" else ("python", "-c")
            done = subprocess.run(
                [*command, block.code],
                cwd=desk.folder,
                env=desk.environment(),
                capture_output=True,
                text=True,
                check=False,
            )
            printed = done.stdout + done.stderr
            assert done.returncode == 0, f"{page}:{block.line}\n{block.code}\n{printed[-3000:]}"
            output += printed
    if page in CHECKS:
        CHECKS[page](desk.folder, output)
    # The next page starts from the commit.
    desk.run("dvc", "queue", "remove", "--all")
    desk.run("git", "checkout", "--quiet", ".")
    desk.run("git", "clean", "--force", "--quiet", "-d")
    desk.run("dvc", "checkout", "--force", "--quiet")
