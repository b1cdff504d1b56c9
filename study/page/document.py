"""`reports/index.html`: methods side by side, tables, figures and settings of one run, readable without a network."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from PIL import Image

from study import paper
from study.page.comparison import Comparison
from study.tables import formats
from study.tables.results import Results
from study.tables.tables import paper_tables

TEMPLATE = "page.html.j2"
NO_BREAK = "\N{NO-BREAK SPACE}"
TRUTH = {"key": "truth", "name": "Truth"}
COMMANDS = {
    "Reproduce everything on this page": "dvc repro",
    "Try a wider boundary; only the affected stages run again": "dvc exp run --set-param kernel.width=15",
    "Compare the metrics with those of the last commit": "dvc metrics diff",
    "Show the curves in DVC's own page, which loads Vega from the network": "dvc plots show --open",
    "Segment your own photo": "python -m bsn segment photo.jpg --out portraits",
}


def sized(figures: Sequence[Mapping[str, str]], folder: Path) -> list[dict[str, Any]]:
    """Add each picture's `width` and `height` to the entries of `captions.json`, so that the page loads without jumps.

    Args:
        figures: `file`, `title` and `caption` of each figure.
        folder: of the files.
    """
    sizes = []
    for figure in figures:
        with Image.open(folder / figure["file"]) as picture:
            sizes.append({"width": picture.width, "height": picture.height})
    return [{**figure, **size} for figure, size in zip(figures, sizes, strict=True)]


def render(
    results: Results, figures: Sequence[Mapping[str, Any]], facts: Mapping[str, str], comparison: Comparison
) -> str:
    """Render the page as HTML.

    Args:
        results: of the run.
        figures: as `sized` returns them; the files are in `figures/` beside the page.
        facts: lines of the section "This run", name -> value.
        comparison: what `compare` wrote to `compare/` beside the page.
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
        tables=paper_tables(results),
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


def slider(comparison: Comparison) -> dict[str, Any] | None:
    """Content of `slider.html.j2`; None when there is no photo to compare methods on.

    At first PortraitDeepLabv2, or the truth if it was not run, is left of the divider, and the comparison's subject,
    BSN if it was run, right of it.
    """
    if not comparison.photos or comparison.subject is None:
        return None
    run = {method["key"]: method for method in comparison.methods}
    right = run[comparison.subject]
    left = TRUTH if paper.BASELINE not in run or right["key"] == paper.BASELINE else run[paper.BASELINE]
    photos = [asdict(photo) | {"scores": _written(photo.scores)} for photo in comparison.photos]
    layers = [
        ("photo", "photo.jpg", f"Test photo {photos[0]['id']}"),
        ("left", f"{left['key']}.png", ""),
        ("right", f"{right['key']}.png", ""),
    ]
    return {
        "methods": [TRUTH, *run.values()],
        "photos": photos,
        "photo": photos[0],
        "layers": layers,
        "left": left,
        "right": right,
    }


def _written(scores: Mapping[str, Mapping[str, float | None]]) -> dict[str, dict[str, Any]]:
    """Each method's numbers as shown, and its IoU as the length of a bar."""
    return {
        method: {
            "iou": formats.percent(numbers["iou"]),
            "boundary": formats.percent(numbers["boundary_iou"]),
            "share": numbers["iou"] or 0,
        }
        for method, numbers in scores.items()
    }


def _headline(results: Results) -> list[dict[str, str]]:
    """The main numbers as cards: value, name, and what to compare it with."""
    ours = results.summary("bsn", "pfcn")
    if not ours:
        return []
    interval = formats.interval(ours["mean_iou_low"], ours["mean_iou_high"])
    cards = [
        {
            "value": formats.percent(ours["mean_iou"]),
            "name": "mean IoU of BSN on PFCN, %",
            "beside": f"95 % interval {interval} over {ours['photos']} test photos; paper: "
            f"{formats.percent(paper.TABLE_1['bsn'])}",
        },
        {
            "value": formats.percent(ours["boundary_iou"]),
            "name": "boundary IoU of BSN, %",
            "beside": f"IoU of the masks' inner rims, 2{NO_BREAK}% of the photo's diagonal wide",
        },
    ]
    gain = results.gain("bsn", paper.BASELINE, "pfcn")
    if gain:
        mean, low, high = map(formats.signed_percent, gain)
        published = formats.signed_percent(paper.TABLE_1["bsn"] - paper.TABLE_1[paper.BASELINE])
        cards.insert(
            1,
            {
                "value": mean,
                "name": f"gain over {paper.METHODS[paper.BASELINE]}",
                "beside": f"95 % interval {low} to {high} over the same photos, one trained network each; "
                f"paper: {published}",
            },
        )
    return cards


def _bold(cell: str) -> Markup:
    """Markdown's bold as HTML, the rest escaped; a line may break before an interval and not inside."""
    whole = cell.replace(" to ", f"{NO_BREAK}to{NO_BREAK}").replace(" M", f"{NO_BREAK}M")
    return _marked(whole, "**", Markup("<strong>{}</strong>"))


def _code(note: str) -> Markup:
    """Markdown's `code` as HTML, the rest escaped."""
    return _marked(note, "`", Markup("<code>{}</code>"))


def _marked(text: str, mark: str, written: Markup) -> Markup:
    """Put the text between two marks into `written`."""
    parts = text.split(mark)
    return Markup("").join(written.format(part) if place % 2 else escape(part) for place, part in enumerate(parts))
