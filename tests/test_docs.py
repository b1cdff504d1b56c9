"""README and docs/: every relative link leads to a file, and README stays one short page."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 160


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_to_files(page):
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))
    relative = [target for target in targets if not target.startswith(("http:", "https:"))]
    assert [target for target in relative if not (page.parent / target).exists()] == []


def test_every_page_is_linked_from_the_readme():
    linked = re.findall(r"\]\((docs/[^)#]+)", (ROOT / "README.md").read_text("utf-8"))
    assert {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} == set(linked)
