"""The HTML page: complete, self-contained, and labelled if the data are drawn."""

import html.parser
import re
import shutil

from study import page
from study.figures import draw_all
from study.page.comparison import Comparison, compare
from study.page.document import NO_BREAK, slider
from study.tables.results import read_results
from study.tables.tables import paper_tables


class Reader(html.parser.HTMLParser):
    """Collects links, ids and the cells of the tables; fails on a mismatched closing tag."""

    def __init__(self) -> None:
        super().__init__()
        self.links, self.ids, self.cells, self.open = [], [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.links += [attrs[name] for name in ("href", "src") if name in attrs]
        self.ids += [attrs["id"]] if "id" in attrs else []
        if tag not in ("meta", "img", "link", "br", "input"):
            self.open.append(tag)
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "td" in self.open:
            self.cells[-1] += data


def results(run, **changes):
    given = {"profile": "sketch", "drawn": True, "seed": 1, "min_face": 0.1, "min_on_mask": 0.5} | changes
    return read_results(run / "metrics", run / "data/portraits", **given)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    assert not reader.open
    return reader


FIGURE = {
    "file": "figure2.jpg",
    "title": "Figure 2. Kernels",
    "caption": "Steps & <kernels>",
    "width": 1600,
    "height": 900,
}
NOTHING = Comparison(methods=[], subject=None, photos=[])


def compared(run, folder):
    return compare(results(run), run / "data/portraits", run / "data/predictions", folder)


def test_every_link_resolves(run, material, tmp_path):
    reports = tmp_path / "reports"
    shown = draw_all(material, reports / "figures")
    for table in paper_tables(results(run)):
        table.write(reports)
    shown = page.sized(shown, reports / "figures")
    text = page.render(results(run), shown, {"Profile": "sketch"}, compared(run, reports / "compare"))
    page.write(text, reports / "index.html")
    reader = read((reports / "index.html").read_text("utf-8"))
    assert len(reader.links) > 2 * len(shown)
    for link in reader.links:
        if link == "data:,":  # Empty icon: keeps browsers from requesting one.
            continue
        found = link[1:] in reader.ids if link.startswith("#") else (reports / link).exists()
        assert found, link


def test_the_page_loads_nothing_from_the_network(run, tmp_path):
    text = page.render(results(run), [FIGURE], {}, compared(run, tmp_path / "compare"))
    assert not re.search(
        r"https?:|//\w|@import|url\(|fetch\(|XMLHttpRequest|<script[^>]*src|<link[^>]*stylesheet", text
    )


def test_the_page_has_every_cell_of_the_three_tables(run):
    reader = read(page.render(results(run), [], {}, NOTHING))
    expected = [cell.replace("**", "") for table in paper_tables(results(run)) for row in table.cells() for cell in row]
    assert [cell.replace(NO_BREAK, " ") for cell in reader.cells] == expected


def test_commands_in_table_notes_become_code_elements(run):
    text = page.render(results(run), [], {}, NOTHING)
    assert "<code>dvc repro trials/dvc.yaml:seeds</code>" in text
    assert "`" not in text.split("<main>")[1].split("<script>")[0]


def test_drawn_data_has_a_banner_and_real_data_has_none(run):
    assert "every photo on this page is a drawing" in page.render(results(run), [], {}, NOTHING)
    assert "drawing" not in page.render(results(run, drawn=False), [], {}, NOTHING)


def test_captions_and_metadata_are_html_escaped(run):
    text = page.render(results(run), [FIGURE], {"Machine": "<b>fast</b>"}, NOTHING)
    assert "Steps &amp; &lt;kernels&gt;" in text
    assert "&lt;b&gt;fast&lt;/b&gt;" in text
    read(text)


def test_the_slider_starts_with_deeplab_and_bsn_on_the_median_photo(run, tmp_path):
    comparison = compared(run, tmp_path / "compare")
    text = page.render(results(run), [], {}, comparison)
    first = comparison.photos[0].id
    reader = read(text)
    first_pictures = [link for link in reader.links if link.startswith("compare/")][:3]
    assert first_pictures == [f"compare/{first}/{name}" for name in ("photo.jpg", "portrait_deeplab.png", "bsn.png")]
    assert text.count('aria-pressed="true"><img') == 1
    assert "Median IoU of BSN" in text


def test_without_deeplab_the_slider_starts_with_the_true_mask_and_bsn(run, tmp_path):
    shutil.rmtree(run / "data/predictions/portrait_deeplab")
    shown = slider(compared(run, tmp_path / "compare"))
    assert (shown["left"]["name"], shown["right"]["name"]) == ("Truth", "BSN")


def test_without_photos_the_page_has_no_slider_and_no_link_to_it(run):
    text = page.render(results(run), [], {}, NOTHING)
    assert "compare-heading" not in text
    read(text)


def test_the_page_has_a_viewport_tag_and_dark_mode_styles(run):
    text = page.render(results(run), [], {}, NOTHING)
    assert 'name="viewport"' in text
    assert "prefers-color-scheme: dark" in text


def test_a_run_without_results_gives_a_well_formed_page(tmp_path):
    rule = {"min_face": 0.1, "min_on_mask": 0.5}
    empty = read_results(tmp_path, tmp_path, profile="lite", drawn=False, seed=1, **rule)
    read(page.render(empty, [], {}, NOTHING))
