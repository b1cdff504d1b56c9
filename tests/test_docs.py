"""README, CONTRIBUTING, docs/ and CITATION.cff: links and named files exist, numbers are the committed ones."""

import ast
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
# Files that a reader opens in each walk, at most.
WALKS = {
    "From `kernel.width` to the loss": 8,
    "From a PFCN photo to Table 1": 25,
    "From a metric to the page and MLflow": 12,
}


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


def defined(code: str) -> set[str]:
    """Names that a module defines: functions, classes, their methods as Class.method, and constants."""
    names = set()
    for node in ast.parse(code).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names.add(node.name)
            names |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def walks() -> dict[str, list[tuple[str, str]]]:
    """File and name of each step of each walk, by the walk's heading."""
    sections = re.split(r"(?m)^## (.+)$", ARCHITECTURE.read_text("utf-8"))
    found = dict(zip(sections[1::2], sections[2::2], strict=True))
    step = re.compile(r"`([\w./-]+\.(?:py|yaml|j2|css|js)):?([\w.]*)`")
    return {title: step.findall(found[title]) for title in WALKS}


@pytest.mark.parametrize("title", WALKS)
def test_a_walk_names_files_and_functions_that_exist_and_is_short(title):
    steps = walks()[title]
    assert len(steps) > 3
    for file, name in steps:
        assert (ROOT / file).is_file(), file
        if file.endswith(".py") and name:
            assert name in defined(text_of(file)), f"{file}:{name}"
    assert len({file for file, _ in steps}) <= WALKS[title]


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
