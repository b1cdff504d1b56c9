"""Tables 1 to 3 with the paper's numbers beside ours, and the same numbers under short keys for DVC."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bsn import metrics
from study import paper
from study.tables import formats
from study.tables.formats import Columns, Table, column, method_name
from study.tables.results import Results

OURS = "Ours"
SHOWN_MARGINS = (0.0, 0.1, 0.2, 0.3)  # of those in reports/portrait_margins.csv, the ones in Table 2's notes


@dataclass(frozen=True)
class Score:
    """One column of Tables 1 and 3."""

    heading: str
    metric: Callable[..., Any] | None
    """Function that computes the number; None for the paper's numbers, differences to them, and parameter counts."""
    write: Callable[..., str]
    keys: tuple[str, ...]
    """Columns of the CSV that the cell shows."""


SCORES = (
    Score("Paper", None, formats.percent, ("mean_iou_paper",)),
    Score(OURS, metrics.iou, formats.percent, ("mean_iou",)),
    Score("Difference", None, formats.signed_percent, ("difference",)),
    Score("95 % interval", metrics.bootstrap, formats.interval, ("mean_iou_low", "mean_iou_high")),
    Score("Gain, paper", None, formats.signed_percent, ("gain_paper",)),
    Score("Gain, ours", metrics.paired_difference, formats.gain, ("gain", "gain_low", "gain_high")),
    Score("Boundary IoU", metrics.boundary_iou, formats.percent, ("boundary_iou",)),
    Score(
        "Boundary gain",
        metrics.paired_difference,
        formats.gain,
        ("boundary_iou_gain", "boundary_iou_gain_low", "boundary_iou_gain_high"),
    ),
    Score("Two-class mIoU", metrics.miou_two_class, formats.percent, ("miou_two_class",)),
    Score("Parameters", None, formats.parameters, ("parameters",)),
)


def paper_tables(results: Results) -> list[Table]:
    """Build Tables 1, 2 and 3 of the paper from the results of one run."""
    return [_table_1(results), _table_2(results), _table_3(results)]


def headline(results: Results) -> dict[str, dict[str, Any]]:
    """Numbers for `metrics/tables.json`: set -> method -> metric, and under `portraits` the photos of Table 2."""
    numbers: dict[str, dict[str, Any]] = {}
    shown = [("pfcn", method) for method in paper.TABLE_1]
    shown += [(name, method) for name, methods in paper.TABLE_3.items() for method in methods]
    for name, method in shown:
        summary = results.summary(method, name)
        if summary:
            chosen = {key: summary[key] for key in ("mean_iou", "boundary_iou", "miou_two_class")}
            numbers.setdefault(name, {})[method] = chosen
    kept = {name: results.kept(name) for name in paper.TABLE_2}
    return numbers | {"portraits": {name: photos for name, photos in kept.items() if photos is not None}}


def _table_1(results: Results) -> Table:
    baseline = paper.BASELINE
    rows = [
        _measured(results, method, "pfcn", published)
        | _gains(results, method, baseline, "pfcn", published - paper.TABLE_1[baseline])
        for method, published in paper.TABLE_1.items()
    ]
    seeds = "`dvc repro trials/dvc.yaml:seeds` compares methods over several seeds"
    notes = _notes(results, ["pfcn"], paper.TABLE_1, baseline, seeds=seeds)
    floor = results.summary(paper.FLOOR, "pfcn")
    if floor:
        score = formats.percent(floor["mean_iou"])
        notes.append(f"Lower bound: the aligned mean mask, as the prediction for every photo, scores {score}.")
    return Table(
        name="table1",
        caption=_caption(results, 1, "Mean IoU (%) on the PFCN test photos."),
        frame=pd.DataFrame(rows),
        columns={"Method": method_name, **_scores(results)},
        notes=(*notes, _command(results)),
    )


def _table_2(results: Results) -> Table:
    rows = []
    for name, published in paper.TABLE_2.items():
        kept = results.kept(name)
        rows.append(
            {
                **_origin(results),
                "set": name,
                "photos_paper": published,
                "photos": kept,
                "difference": None if kept is None else kept - published,
                "looked_at": None if kept is None else len(results.portraits[name]),
            }
        )
    return Table(
        name="table2",
        caption=_caption(results, 2, "Photos in the three portrait datasets."),
        # dtype=object keeps integers as such beside missing ones.
        frame=pd.DataFrame(rows, dtype=object),
        columns={
            "Dataset": lambda row: f"{paper.SETS[row['set']]} portrait",
            "Paper": column(formats.count, "photos_paper"),
            _ours(results): column(formats.count, "photos"),
            "Difference": column(formats.signed_count, "difference"),
            "Photos checked": column(formats.count, "looked_at"),
        },
        notes=(*_absent(results, paper.TABLE_2), *_margins(results), *_overlaps(results), _command(results)),
    )


def _table_3(results: Results) -> Table:
    baseline = "portrait_fcn"
    rows = [
        _measured(results, method, name, score) | _gains(results, method, baseline, name, score - published[baseline])
        for name, published in paper.TABLE_3.items()
        for method, score in published.items()
    ]
    seeds = "no command measures these sets over several seeds"
    notes = _notes(results, paper.TABLE_3, [baseline, "bsn"], baseline, seeds=seeds)
    title = "Mean IoU (%) on the COCO, COCO-Stuff and PASCAL VOC portraits, without fine-tuning."
    return Table(
        name="table3",
        caption=_caption(results, 3, title),
        frame=pd.DataFrame(rows),
        columns={"Dataset": lambda row: paper.SETS[row["set"]], "Method": method_name, **_scores(results)},
        notes=(*notes, _command(results)),
        labels=2,
    )


def _ours(results: Results) -> str:
    """Heading over our numbers; with drawn data it says so, even where one column is copied."""
    return f"{OURS} (drawn)" if results.drawn else OURS


def _scores(results: Results) -> Columns:
    return {
        _ours(results) if score.heading == OURS else score.heading: column(score.write, *score.keys) for score in SCORES
    }


def _origin(results: Results) -> dict[str, str]:
    """First columns of every CSV: what its numbers were measured on."""
    return {"profile": results.profile, "data": "drawn" if results.drawn else "real"}


def _measured(results: Results, method: str, name: str, published: float) -> dict[str, Any]:
    """One row of a CSV: the paper's number, ours and their difference."""
    summary = results.summary(method, name)
    ours = summary.get("mean_iou")
    copied = ("mean_iou_low", "mean_iou_high", "boundary_iou", "boundary_f", "miou_two_class", "photos")
    return {
        **_origin(results),
        "set": name,
        "method": method,
        "mean_iou_paper": published,
        "mean_iou": ours,
        "difference": None if ours is None else ours - published,
        **{key: summary.get(key) for key in copied},
        "parameters": results.metrics.get(method, {}).get("parameters"),
    }


def _gains(results: Results, method: str, baseline: str, name: str, published: float) -> dict[str, float | None]:
    """Gains over the baseline, the paper's and ours with intervals; None for the baseline itself."""
    row: dict[str, float | None] = {"gain_paper": published if method != baseline else None}
    for measure, key in (("iou", "gain"), ("boundary_iou", "boundary_iou_gain")):
        known = results.gain(method, baseline, name, measure=measure) if method != baseline else None
        row |= dict(zip((key, f"{key}_low", f"{key}_high"), known or (None, None, None), strict=True))
    return row


def _caption(results: Results, number: int, title: str) -> str:
    """The title with profile and kind of data, so that a copied table says where its numbers come from."""
    return f"Table {number}. {title} Profile {results.profile}: {results.setting}."


def _notes(results: Results, names: Iterable[str], methods: Iterable[str], baseline: str, *, seeds: str) -> list[str]:
    """Notes of a table of scores. seeds: how its methods are compared over several seeds, the end of a sentence."""
    notes = _absent(results, names)
    missing = [paper.METHODS[method] for method in methods if method not in results.metrics]
    if missing:
        notes.append(f"Not evaluated: {', '.join(missing)}.")
    measured = [(name, results.summary(method, name)) for name in names for method in methods]
    photos = {name: summary["photos"] for name, summary in measured if summary}
    counted = [f"{number} of {paper.SETS[name]}" for name, number in photos.items()]
    if counted:
        notes += [
            f"Photos: {', '.join(counted)}. One trained network per method. Intervals: 95 %, bootstrap over photos.",
            f"Gain: over {paper.METHODS[baseline]} on the same photos. Bold: the 95 % interval excludes 0. Networks "
            f"trained with another seed may differ by more; {seeds}.",
        ]
    return notes


def _absent(results: Results, names: Iterable[str]) -> list[str]:
    reasons = {name: results.absence(name) for name in names}
    return [f"{paper.SETS[name]} is left out: {reason}." for name, reason in reasons.items() if reason]


def _margins(results: Results) -> list[str]:
    """Counts at a few margins of the face box: the paper names no detector, and MTCNN's boxes are tight."""
    counted = {name: counts for name in paper.TABLE_2 if (counts := results.kept_by_margin(name))}
    shown = [
        f"{paper.SETS[name]} {', '.join(str(counts[margin]) for margin in SHOWN_MARGINS)}"
        for name, counts in counted.items()
    ]
    margins = ", ".join(f"{100 * margin:.0f}" for margin in SHOWN_MARGINS)
    return [f"With the face box enlarged by {margins} % on each side: {'; '.join(shown)}."] if shown else []


def _overlaps(results: Results) -> list[str]:
    """Photos that are in two sets, or in two years of VOC; each set counts them once."""
    kept = {name: [row for row in rows if row.kept] for name, rows in results.portraits.items() if rows}
    notes = []
    if "coco" in kept and "cocostuff" in kept:
        both = len({row.id for row in kept["coco"]} & {row.id for row in kept["cocostuff"]})
        notes.append(f"{both} of the COCO-Stuff portraits are also COCO portraits (same photo id).")
    if "voc" in kept:
        several, portraits = (sum(row.listed > 1 for row in rows) for rows in (results.portraits["voc"], kept["voc"]))
        notes.append(
            f"{several} of the PASCAL VOC photos, {portraits} of them portraits, are in more than one year and are "
            "counted once."
        )
    return notes


def _command(results: Results) -> str:
    """Note with the command that makes the table."""
    return f"Made by `dvc exp run -S profile={results.profile} -S seed={results.seed}`."
