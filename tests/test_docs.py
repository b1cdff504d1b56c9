"""README, CONTRIBUTING, docs/ and CITATION.cff: links and named files exist, numbers are the committed ones."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
ARCHITECTURE = ROOT / "docs/architecture.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [README, ROOT / "CONTRIBUTING.md", *DOCS]
MORE_PAGES = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "reports/lite/README.md", ROOT / "benchmarks/README.md"]
CODE = ("bsn", "study", "drawn", "stages", "experiments", "benchmarks", "tests", "docs", "profiles", "trials")


def relative(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def tables(text: str) -> list[list[str]]:
    """Markdown tables, each as its rows without the header and the line below it."""
    return [found.splitlines()[2:] for found in re.findall(r"(?m)(?:^\|.*\n)+", text)]


def test_the_readme_is_short_and_its_tables_are():
    assert len(README.read_text("utf-8").splitlines()) <= 160
    assert max(map(len, tables(README.read_text("utf-8")))) <= 10


def test_the_readme_shows_the_committed_table_1():
    committed = {row.split("|")[1]: row for row in tables(text_of("reports/table1.md"))[0]}
    (shown,) = [rows for rows in tables(README.read_text("utf-8")) if "| BSN " in "\n".join(rows)]
    assert [row.split("|")[1] for row in shown] == list(committed)
    for row in shown:
        cells = row.strip("|").split("|")
        whole = committed[cells[0]].strip("|").split("|")
        assert cells == [whole[0], whole[1], whole[2], *whole[4:8]]


@pytest.mark.parametrize("page", relative(MORE_PAGES))
def test_relative_links_lead_to_files(page):
    targets = re.findall(r"\]\(([^)#\s]+)", text_of(page))
    local = [target for target in targets if not target.startswith(("http:", "https:"))]
    assert [target for target in local if not ((ROOT / page).parent / target).exists()] == []


@pytest.mark.parametrize("page", relative(PAGES))
def test_links_into_a_page_lead_to_its_headings(page):
    for target, heading in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", text_of(page)):
        if not target.startswith("http"):
            linked = (ROOT / page).parent / target if target else ROOT / page
            headings = re.findall(r"(?m)^#+ (.+)$", linked.read_text("utf-8"))
            assert heading in [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings]


@pytest.mark.parametrize("page", relative(PAGES))
def test_files_named_in_the_text_exist(page):
    named = re.findall(rf"`((?:{'|'.join(CODE)})/[\w./-]+\.\w+)[`:]", text_of(page))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_page_is_linked_from_the_readme():
    linked = re.findall(r"\]\((docs/[^)#]+)", README.read_text("utf-8"))
    assert set(relative(DOCS)) == set(linked)


@pytest.mark.parametrize("page", relative([page for page in DOCS if page != ARCHITECTURE]))
def test_every_page_starts_with_a_command(page):
    assert re.match(r"# .+\n\n(<!-- .+ -->\n)?```sh\n", text_of(page))


def test_the_citation_has_what_the_format_requires():
    citation = yaml.safe_load(text_of("CITATION.cff"))
    assert set(citation) >= {"cff-version", "message", "title", "authors"}
    assert set(citation["preferred-citation"]) >= {"type", "title", "authors"}
    for author in (*citation["authors"], *citation["preferred-citation"]["authors"]):
        assert set(author) in ({"name"}, {"family-names", "given-names"})


def test_make_help_describes_every_target():
    makefile = text_of("Makefile")
    (targets,) = re.findall(r"(?m)^\.PHONY: (.+)$", makefile)
    assert set(re.findall(r"(?m)^# make ([\w-]+)", makefile)) == set(targets.split())
