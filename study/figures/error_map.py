"""Where the methods err: wrong pixels of every test photo, in the aligned face frame."""

from collections.abc import Iterable

import cv2
import numpy as np
from PIL import Image

from bsn.alignment import FRAME, aligned_mean_mask, warp_to_frame
from bsn.kernels import IGNORE
from study.figures import palette
from study.figures.material import Material, Missing
from study.figures.plots import picture, pyplot_in_style
from study.paper import BASELINE, METHODS

COLUMNS = ("portrait_fcn", "portrait_deeplab", "bsn")
_COVERAGE = 0.1  # of the photos; a place that fewer show says more of those than of a method


def draw(material: Material) -> tuple[Image.Image, str]:
    """A panel a method, and BSN less PortraitDeepLabv2."""
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
        f"Where the methods err: share of the {len(ids)} test photos in which a pixel is wrong, all photos aligned by "
        f"their face. The line is the half contour of their mean mask. On the right {METHODS['bsn']} less "
        f"{METHODS[BASELINE]}: teal where {METHODS['bsn']} errs less. Grey: fewer than {_COVERAGE:.0%} of the photos "
        "reach there."
    )
    return _panels(maps, aligned_mean_mask(masks, frames)), caption


def errors(prediction: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """uint8 (H, W): 1 where the prediction {0, 1} is not the mask's class, 255 where the mask is ignored."""
    wrong = (prediction != mask).astype(np.uint8)
    wrong[mask == IGNORE] = IGNORE
    return wrong


def error_map(wrong: Iterable[np.ndarray], affines: Iterable[np.ndarray]) -> np.ndarray:
    """Share of wrong pixels at each place of the frame, float32 (800, 600), over the photos that show it.

    wrong: as of `errors`. affines: (2, 3) each, from photo to frame. NaN where fewer than a tenth of the photos count.
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
    mean = cv2.GaussianBlur(mean, (0, 0), 4)  # For a smooth line of few photos.
    with pyplot_in_style() as pyplot:
        from matplotlib.colors import LinearSegmentedColormap

        teal, orange = (tuple(value / 255 for value in colour) for colour in (palette.FOREGROUND, palette.BOUNDARY))
        diverging = LinearSegmentedColormap.from_list("teal_orange", [teal, "white", orange])
        figure, axes = pyplot.subplots(1, len(maps) + 1, figsize=(14, 6.1), dpi=100, layout="constrained")
        # One scale; the few brightest pixels do not dim all others.
        brightest = max(100 * float(np.nanquantile(values, 0.998)) for values in maps.values())
        for panel, (method, values) in zip(axes, maps.items(), strict=False):
            heat = panel.imshow(100 * values, cmap="magma", vmin=0, vmax=max(brightest, 1e-3))
            panel.contour(mean, [0.5], colors="white", linewidths=1.5)
            panel.set_title(METHODS[method], fontsize=19)
        reach = max(100 * float(np.nanquantile(np.abs(gain), 0.998)), 1e-3)
        difference = axes[-1].imshow(100 * gain, cmap=diverging, vmin=-reach, vmax=reach)
        axes[-1].contour(mean, [0.5], colors=palette.INK, linewidths=1.5)
        axes[-1].set_title("Difference", fontsize=19)
        for panel in axes:
            panel.set(xticks=[], yticks=[], facecolor=palette.PALE)
            panel.spines[:].set_visible(False)
        look = {"orientation": "horizontal", "shrink": 0.8, "aspect": 40, "pad": 0.03}
        figure.colorbar(heat, ax=axes[:-1], extend="max", label="wrong, % of the photos", **look)
        look |= {"aspect": 14}
        figure.colorbar(difference, ax=axes[-1], extend="both", label="points", **look)
        return picture(figure)
