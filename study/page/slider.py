"""What the page's slider shows at first, and the words and numbers that it shows later, from `compare.json`."""

from study.paper import BASELINE
from study.tables import formats

TRUTH = {"key": "truth", "name": "Truth"}


def slider(comparison: dict) -> dict | None:
    """The content of `slider.html.j2`; None when there is no photo to compare methods on.

    `comparison` is what `comparison.compare` returned. At first PortraitDeepLabv2, or the truth where it
    was not run, stands left of the divider and BSN, or the last method of Table 1, right of it.
    """
    if not comparison["photos"]:
        return None
    run = {method["key"]: method for method in comparison["methods"]}
    right = run[comparison["subject"]]
    left = TRUTH if BASELINE not in run or right["key"] == BASELINE else run[BASELINE]
    photos = [photo | {"scores": _written(photo["scores"])} for photo in comparison["photos"]]
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


def _written(scores: dict[str, dict]) -> dict[str, dict]:
    """Each method's numbers as they are shown, and its IoU as the length of a bar."""
    return {
        method: {
            "iou": formats.percent(numbers["iou"]),
            "boundary": formats.percent(numbers["boundary_iou"]),
            "share": numbers["iou"] or 0,
        }
        for method, numbers in scores.items()
    }
