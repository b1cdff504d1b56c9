"""`reports/index.html`: methods side by side, tables, figures and facts of one run; the page needs no network."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from PIL import Image

from study import paper
from study.page.slider import slider
from study.tables import formats
from study.tables.results import Results
from study.tables.tables import build

TEMPLATE = "page.html.j2"
NO_BREAK = "\N{NO-BREAK SPACE}"
COMMANDS = {
    "Everything on this page, from the data on": "dvc repro",
    "A wider boundary: what it reaches is made again, and nothing else": "dvc exp run --set-param kernel.width=15",
    "What a change did to the numbers": "dvc metrics diff",
    "The curves in DVC's own page (which loads vega from the network)": "dvc plots show --open",
    "Your own photo": "python -m bsn segment photo.jpg --out portraits",
}


def sized(figures: Sequence[dict], folder: Path) -> list[dict]:
    """The entries of `reports/captions.json` with each picture's width and height, so that the page never jumps."""
    sizes = []
    for figure in figures:
        with Image.open(folder / figure["file"]) as picture:
            sizes.append({"width": picture.width, "height": picture.height})
    return [figure | size for figure, size in zip(figures, sizes, strict=True)]


def render(results: Results, figures: Sequence[dict], facts: dict[str, str], comparison: dict) -> str:
    """The page as HTML.

    `figures` are the entries of `captions.json`: file (in `figures/`, beside the page), title and
    caption, with width and height from `sized`. `facts` are the lines under "This run": what -> value.
    `comparison` is what `comparison.compare` wrote to `compare/`, beside the page.
    """
    environment = Environment(
        loader=PackageLoader("study.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["bold"], environment.filters["code"] = _bold, _code
    page = environment.get_template(TEMPLATE)
    return page.render(
        results=results,
        tables=build(results),
        figures=figures,
        facts=facts,
        headline=_headline(results),
        slider=slider(comparison),
        commands=COMMANDS,
    )


def write(page: str, file: Path) -> None:
    """Write the page, making its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(page, encoding="utf-8")


def _headline(results: Results) -> list[dict[str, str]]:
    """The few numbers that a reader came for: value, what it is, and what to hold it against."""
    ours = results.summary("bsn", "pfcn")
    if not ours:
        return []
    cards = [
        {
            "value": formats.percent(ours["mean_iou"]),
            "name": "mean IoU of BSN on PFCN, %",
            "beside": f"{formats.interval(ours['mean_iou_low'], ours['mean_iou_high'])} over "
            f"{ours['photos']} photos; the paper has {formats.percent(paper.TABLE_1['bsn'])}",
        },
        {
            "value": formats.percent(ours["boundary_iou"]),
            "name": "boundary IoU of BSN, %",
            "beside": "within 2 % of the photo's diagonal of the contour",
        },
    ]
    gain = results.gain("bsn", paper.BASELINE, "pfcn")
    if gain:
        published = paper.TABLE_1["bsn"] - paper.TABLE_1[paper.BASELINE]
        cards.insert(
            1,
            {
                "value": formats.signed_percent(gain[0]),
                "name": "gain over PortraitDeepLabv2",
                "beside": f"{formats.signed_percent(gain[1])} to {formats.signed_percent(gain[2])}, photo by "
                f"photo; the paper has {formats.signed_percent(published)}",
            },
        )
    return cards


def _bold(cell: str) -> Markup:
    """Markdown's bold as HTML's; everything else is escaped. A line may break before an interval and not in it."""
    whole = cell.replace(" to ", f"{NO_BREAK}to{NO_BREAK}").replace(" M", f"{NO_BREAK}M")
    return _marked(whole, "**", Markup("<strong>{}</strong>"))


def _code(note: str) -> Markup:
    """Markdown's `code` as HTML's; everything else is escaped."""
    return _marked(note, "`", Markup("<code>{}</code>"))


def _marked(text: str, mark: str, written: Markup) -> Markup:
    """What stands between two marks as `written` has it."""
    parts = text.split(mark)
    return Markup("").join(written.format(part) if place % 2 else escape(part) for place, part in enumerate(parts))
