"""Tables 1 to 3 with the paper's numbers beside ours, and the same numbers under short keys."""

from collections.abc import Callable, Iterable

import pandas as pd

from study import paper
from study.tables import formats
from study.tables.results import Results
from study.tables.table import Columns, Table

# Of the margins in reports/portrait_margins.csv, those that Table 2 tells in words.
TOLD_MARGINS = (0.0, 0.1, 0.2, 0.3)


def build(results: Results) -> list[Table]:
    """Tables 1, 2 and 3 of the paper from one run's results."""
    return [_table_1(results), _table_2(results), _table_3(results)]


def margin_rows(results: Results) -> pd.DataFrame:
    """Count against box margin, a row a set and margin: set, margin, photos, photos_paper."""
    counted = {name: results.margins(name) or {} for name in paper.TABLE_2}
    rows = [
        {"set": name, "margin": margin, "photos": photos, "photos_paper": paper.TABLE_2[name]}
        for name, counts in counted.items()
        for margin, photos in counts.items()
    ]
    return pd.DataFrame(rows, columns=["set", "margin", "photos", "photos_paper"])


def headline(results: Results) -> dict:
    """The tables' numbers for `metrics/tables.json`: set -> method -> number, and the photos of Table 2."""
    numbers: dict = {}
    shown = [("pfcn", method) for method in paper.TABLE_1]
    shown += [(name, method) for name, methods in paper.TABLE_3.items() for method in methods]
    for name, method in shown:
        summary = results.summary(method, name)
        if summary:
            chosen = {key: summary[key] for key in ("mean_iou", "boundary_iou", "miou_two_class")}
            numbers.setdefault(name, {})[method] = chosen
    kept = {name: _kept(results, name) for name in paper.TABLE_2}
    return numbers | {"portraits": {name: photos for name, photos in kept.items() if photos is not None}}


def _table_1(results: Results) -> Table:
    baseline = paper.BASELINE
    rows = [
        _measured(results, method, "pfcn", published)
        | _gain(results, method, baseline, "pfcn", published - paper.TABLE_1[baseline])
        for method, published in paper.TABLE_1.items()
    ]
    columns = {"Method": _method, **_scores(results)}
    notes = _notes(results, ["pfcn"], paper.TABLE_1, baseline)
    floor = results.summary(paper.FLOOR, "pfcn")
    if floor:
        score = formats.percent(floor["mean_iou"])
        notes.append(f"The aligned mean mask as the answer to every photo scores {score}.")
    caption = _caption(results, 1, "Mean IoU (%) on the PFCN test photos.")
    notes.append(_command(results))
    return Table("table1", caption, pd.DataFrame(rows), columns, tuple(notes))


def _table_2(results: Results) -> Table:
    rows = []
    for name, published in paper.TABLE_2.items():
        kept = _kept(results, name)
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
    columns = {
        "Dataset": lambda row: f"{paper.SETS[row['set']]} portrait",
        "Paper": _write(formats.count, "photos_paper"),
        _ours(results): _write(formats.count, "photos"),
        "Difference": _write(formats.signed_count, "difference"),
        "Photos looked at": _write(formats.count, "looked_at"),
    }
    caption = _caption(results, 2, "Photos in the three portrait datasets.")
    notes = [*_absent(results, paper.TABLE_2), *_margins(results), *_overlaps(results), _command(results)]
    # dtype=object keeps whole numbers whole beside the ones that are missing.
    return Table("table2", caption, pd.DataFrame(rows, dtype=object), columns, tuple(notes))


def _table_3(results: Results) -> Table:
    rows = []
    for name, published in paper.TABLE_3.items():
        for method in published:
            step = published[method] - published["portrait_fcn"]
            rows.append(
                _measured(results, method, name, published[method]) | _gain(results, method, "portrait_fcn", name, step)
            )
    columns = {"Dataset": lambda row: paper.SETS[row["set"]], "Method": _method, **_scores(results)}
    notes = [*_notes(results, paper.TABLE_3, ["portrait_fcn", "bsn"], "portrait_fcn"), _command(results)]
    caption = _caption(
        results, 3, "Mean IoU (%) on the COCO, COCO-Stuff and PASCAL VOC portraits, without fine-tuning."
    )
    return Table("table3", caption, pd.DataFrame(rows), columns, tuple(notes), labels=2)


def _write(write: Callable[..., str], *keys: str) -> Callable[[dict], str]:
    return lambda row: write(*(row[key] for key in keys))


def _method(row: dict) -> str:
    return paper.METHODS[row["method"]]


def _ours(results: Results) -> str:
    """The heading over our numbers: even a single column of drawn data must say so."""
    return "Ours (drawn)" if results.drawn else "Ours"


def _scores(results: Results) -> Columns:
    return {
        "Paper": _write(formats.percent, "mean_iou_paper"),
        _ours(results): _write(formats.percent, "mean_iou"),
        "Difference": _write(formats.signed_percent, "difference"),
        "95 % interval": _write(formats.interval, "mean_iou_low", "mean_iou_high"),
        "Gain, paper": _write(formats.signed_percent, "gain_paper"),
        "Gain, ours": _write(formats.gain, "gain", "gain_low", "gain_high"),
        "Boundary IoU": _write(formats.percent, "boundary_iou"),
        "Its gain": _write(formats.gain, "boundary_iou_gain", "boundary_iou_gain_low", "boundary_iou_gain_high"),
        "Two-class mIoU": _write(formats.percent, "miou_two_class"),
        "Parameters": _write(formats.parameters, "parameters"),
    }


def _origin(results: Results) -> dict:
    """The first columns of every CSV, so that no copy of a number can hide what it was measured on."""
    return {"profile": results.profile, "data": "drawn" if results.drawn else "real"}


def _measured(results: Results, method: str, name: str, published: float) -> dict:
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


def _gain(results: Results, method: str, baseline: str, name: str, published: float) -> dict:
    """What the method adds to the baseline, in the paper and here; nothing for the baseline itself."""
    row: dict = {"gain_paper": published if method != baseline else None}
    for measure, key in (("iou", "gain"), ("boundary_iou", "boundary_iou_gain")):
        known = results.gain(method, baseline, name, measure=measure) if method != baseline else None
        row |= dict(zip((key, f"{key}_low", f"{key}_high"), known or (None, None, None), strict=True))
    return row


def _kept(results: Results, name: str) -> int | None:
    """Photos that the rule kept; None when there were none to look at."""
    rows = results.portraits.get(name)
    return sum(row.kept for row in rows) if rows else None


def _caption(results: Results, number: int, title: str) -> str:
    """The title with the profile, so that no copy of a table can hide where its numbers come from."""
    return f"Table {number}. {title} Profile {results.profile}: {results.setting}."


def _margins(results: Results) -> list[str]:
    """The count at a few margins of the face box: the paper's detector is unnamed, and MTCNN draws tightly."""
    counted = {name: counts for name in paper.TABLE_2 if (counts := results.margins(name))}
    told = [
        f"{paper.SETS[name]} {', '.join(str(counts[margin]) for margin in TOLD_MARGINS)}"
        for name, counts in counted.items()
    ]
    margins = ", ".join(f"{margin:.0%}" for margin in TOLD_MARGINS)
    return [f"With the face box grown by {margins} on each side: {'; '.join(told)}."] if told else []


def _overlaps(results: Results) -> list[str]:
    """Photos that stand in two sets, or in two years of VOC; each set counts them once."""
    kept = {name: [row for row in rows if row.kept] for name, rows in results.portraits.items() if rows}
    notes = []
    if "coco" in kept and "cocostuff" in kept:
        both = len({row.id for row in kept["coco"]} & {row.id for row in kept["cocostuff"]})
        notes.append(f"{both} of the COCO-Stuff portraits are COCO portraits as well, by id.")
    if "voc" in kept:
        several, portraits = (sum(row.listed > 1 for row in rows) for rows in (results.portraits["voc"], kept["voc"]))
        notes.append(
            f"{several} of the PASCAL VOC photos, {portraits} of its portraits among them, stand in more than one "
            "year and are counted once."
        )
    return notes


def _absent(results: Results, names: Iterable[str]) -> list[str]:
    reasons = {name: results.absence(name) for name in names}
    return [f"{paper.SETS[name]} is left out: {reason}." for name, reason in reasons.items() if reason]


def _notes(results: Results, names: Iterable[str], methods: Iterable[str], baseline: str) -> list[str]:
    notes = _absent(results, names)
    missing = [paper.METHODS[method] for method in methods if method not in results.metrics]
    if missing:
        notes.append(f"Not evaluated: {', '.join(missing)}.")
    measured = [(name, results.summary(method, name)) for name in names for method in methods]
    photos = {name: summary["photos"] for name, summary in measured if summary}
    counted = [f"{number} of {paper.SETS[name]}" for name, number in photos.items()]
    if counted:
        notes.append(
            f"Photos: {', '.join(counted)}. Intervals are 95 %, bootstrapped over photos, of one trained network per "
            f"method. Gain is over {paper.METHODS[baseline]} on the same photos; bold: its interval excludes 0. "
            "Networks of another seed may differ by more: `dvc repro trials/dvc.yaml:seeds` compares methods."
        )
    return notes


def _command(results: Results) -> str:
    """The note with the command that makes the table."""
    return f"Made by `dvc exp run -S profile={results.profile} -S seed={results.seed}`."
