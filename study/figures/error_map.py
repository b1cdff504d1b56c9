"""Error maps: share of wrong pixels over the test photos, in the aligned face frame."""

from collections.abc import Iterable

import cv2
import numpy as np
from PIL import Image

from bsn.alignment import FRAME, aligned_mean_mask, warp_to_frame
from bsn.kernels import IGNORE
from study.figures.material import Material, Missing
from study.figures.plots import picture, pyplot_in_style
from study.figures.sheet import BOUNDARY, FOREGROUND, INK, PALE
from study.paper import BASELINE, METHODS

COLUMNS = ("portrait_fcn", "portrait_deeplab", "bsn")
_COVERAGE = 0.1  # share of the photos that must show a place; the mean of fewer is noise


def draw(material: Material) -> tuple[Image.Image, str]:
    """One panel per method, and BSN minus PortraitDeepLabv2."""
    for method in COLUMNS:
        material.need(method, "pfcn")
    affines = material.affines("pfcn")
    ids = [photo for photo in material.ids("pfcn") if photo in affines]
    if not ids:
        raise Missing("No PFCN test photo has a face to align it by.")
    frames = [affines[photo] for photo in ids]
    masks = [material.mask("pfcn", photo) for photo in ids]
    maps = {}
    for method in COLUMNS:
        answers = (material.prediction(method, "pfcn", photo) for photo in ids)
        maps[method] = error_map(map(errors, answers, masks), frames)
    caption = (
        f"Error maps: share of the {len(ids)} test photos in which a pixel is wrong, with the photos aligned by their "
        f"faces. Line: the 0.5 contour of their mean mask. Right: {METHODS['bsn']} minus {METHODS[BASELINE]}, teal "
        f"where {METHODS['bsn']} has fewer errors. Grey: covered by fewer than {_COVERAGE:.0%} of the photos."
    )
    return _panels(maps, aligned_mean_mask(masks, frames)), caption


def errors(prediction: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mark wrong pixels.

    Args:
        prediction: uint8 (H, W), 0 or 1.
        mask: uint8 (H, W), 0, 1 or 255 (ignored).

    Returns:
        uint8 (H, W): 1 where the classes differ, 0 where they agree, 255 where the mask is ignored.
    """
    wrong = (prediction != mask).astype(np.uint8)
    wrong[mask == IGNORE] = IGNORE
    return wrong


def error_map(wrong: Iterable[np.ndarray], affines: Iterable[np.ndarray]) -> np.ndarray:
    """Share of wrong pixels at each place of the face frame, over the photos that show it.

    Args:
        wrong: one map per photo, as `errors` returns it.
        affines: one per photo, (2, 3), from photo to frame.

    Returns:
        float32 (800, 600); NaN where fewer than a tenth of the photos have a labelled pixel.
    """
    total, counted, photos = np.zeros(FRAME, np.float32), np.zeros(FRAME, np.float32), 0
    for photo, affine in zip(wrong, affines, strict=True):
        warped = warp_to_frame(photo, affine)
        total += warped == 1
        counted += warped != IGNORE
        photos += 1
    enough = counted >= max(1, _COVERAGE * photos)
    return np.where(enough, total / np.maximum(counted, 1), np.float32(np.nan))


def _panels(maps: dict[str, np.ndarray], mean: np.ndarray) -> Image.Image:
    gain = maps["bsn"] - maps[BASELINE]
    mean = cv2.GaussianBlur(mean, (0, 0), 4)  # a smooth line even from few photos
    with pyplot_in_style() as pyplot:
        # Late for start-up time.
        from matplotlib.colors import LinearSegmentedColormap

        teal, orange = (tuple(value / 255 for value in colour) for colour in (FOREGROUND, BOUNDARY))
        diverging = LinearSegmentedColormap.from_list("teal_orange", [teal, "white", orange])
        figure, axes = pyplot.subplots(1, len(maps) + 1, figsize=(14, 6.1), dpi=100, layout="constrained")
        # One scale for all panels, at a quantile so that a few pixels do not set it.
        brightest = max(100 * float(np.nanquantile(values, 0.998)) for values in maps.values())
        for panel, (method, values) in zip(axes, maps.items(), strict=False):
            heat = panel.imshow(100 * values, cmap="magma", vmin=0, vmax=max(brightest, 1e-3))
            panel.contour(mean, [0.5], colors="white", linewidths=1.5)
            panel.set_title(METHODS[method], fontsize=19)
        reach = max(100 * float(np.nanquantile(np.abs(gain), 0.998)), 1e-3)
        difference = axes[-1].imshow(100 * gain, cmap=diverging, vmin=-reach, vmax=reach)
        axes[-1].contour(mean, [0.5], colors=INK, linewidths=1.5)
        axes[-1].set_title("Difference", fontsize=19)
        for panel in axes:
            panel.set(xticks=[], yticks=[], facecolor=PALE)
            panel.spines[:].set_visible(False)
        look = {"orientation": "horizontal", "shrink": 0.8, "aspect": 40, "pad": 0.03}
        figure.colorbar(heat, ax=axes[:-1], extend="max", label="wrong, % of the photos", **look)
        look |= {"aspect": 14}
        figure.colorbar(difference, ax=axes[-1], extend="both", label="points", **look)
        return picture(figure)
