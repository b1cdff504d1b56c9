"""Figure 2: the steps from a mask to the individual kernel, and the global kernel."""

import cv2
import numpy as np
from PIL import Image, ImageDraw

from bsn import kernels
from study.figures.material import Material
from study.figures.sheet import (
    BACKGROUND,
    BOUNDARY,
    FOREGROUND,
    SMALL,
    Picture,
    cell_width,
    font,
    grid,
    scaled,
)

CLASSES = np.array([FOREGROUND, BOUNDARY, BACKGROUND], np.float32)
_HEADS = ["Photo", "Contour", "Three classes", "Individual kernel", "Global kernel"]
_ZOOM = 4


def draw(material: Material) -> tuple[Image.Image, str]:
    """The middle photo of the training list, each step magnified at the same place."""
    ids = material.ids("pfcn", "train")
    photo = ids[len(ids) // 2]
    image, mask = material.photo("pfcn", photo), material.mask("pfcn", photo)
    codes = kernels.label_codes(mask, width=material.kernel_width)
    labels = kernels.soft_labels(codes, width=material.kernel_width, reading=material.kernel_reading)
    band = (codes != kernels.BACKGROUND) & (codes != kernels.FOREGROUND) & (codes != kernels.IGNORE)
    classes = np.stack([(mask == 1) & ~band, band, (mask == 0) & ~band]).astype(np.float32)
    line = kernels.contour(mask)
    contour = np.stack([0 * line, line, 1 - line]).astype(np.float32)
    place = _place(line)
    steps = [image, *(_mixed(share) for share in (contour, classes, labels))]
    cells = [_magnified(step, place) for step in steps]
    cells.append(_global(material))
    caption = (
        f"How the kernels are made: training photo {photo}; its contour; foreground, boundary "
        f"({material.kernel_width:g} pixels wide on an 800x600 photo) and background; the individual kernel (reading "
        f"“{material.kernel_reading}” of eq. 1); the global kernel of eq. 6, made from the mean mask."
    )
    return grid([cells], heads=_HEADS), caption


def _mixed(share: np.ndarray) -> Picture:
    """Blend the classes' colours by `share` (3, H, W) of foreground, boundary and background."""
    return np.rint(np.tensordot(share, CLASSES, axes=(0, 0))).astype(np.uint8)


def _place(line: np.ndarray) -> tuple[int, int]:
    """Pixel (x, y) of the contour that is nearest to where the hair usually ends."""
    height, width = line.shape
    points = np.argwhere(line)[:, ::-1]
    return tuple(points[np.square(points - (0.3 * width, 0.4 * height)).sum(axis=1).argmin()])


def _magnified(step: Picture, place: tuple[int, int]) -> Picture:
    """The step at cell size, with an inset that magnifies the neighbourhood of `place`."""
    across = cell_width(len(_HEADS))
    scale = across / step.shape[1]
    cell = scaled(step, (across, round(scale * step.shape[0])))
    inset = round(0.46 * across)
    reach = inset // (2 * _ZOOM) + 1
    framed = cv2.copyMakeBorder(step, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    x, y = place
    cut = framed[y : y + 2 * reach + 1, x : x + 2 * reach + 1]
    large = cv2.resize(cut, (inset, inset), interpolation=cv2.INTER_NEAREST)
    image = Image.fromarray(cell)
    draw = ImageDraw.Draw(image)
    half = reach * scale
    draw.rectangle((x * scale - half, y * scale - half, x * scale + half, y * scale + half), None, "white", 2)
    left, top = across - inset - 10, image.height - inset - 10
    draw.rectangle((left - 3, top - 3, left + inset + 2, top + inset + 2), "white")
    image.paste(Image.fromarray(large), (left, top))
    return np.asarray(image)


def _global(material: Material) -> Picture:
    low, high = material.global_low, material.global_high
    mean = np.load(material.mean_mask)
    kernel = kernels.global_kernel(mean, a=low, b=high, reading=material.global_reading)
    share = (kernel - low) / (high - low) if high > low else np.ones_like(kernel)
    across = cell_width(len(_HEADS))
    down = round(across * share.shape[0] / share.shape[1])
    coloured = cv2.applyColorMap(np.rint(255 * share).clip(0, 255).astype(np.uint8), cv2.COLORMAP_MAGMA)
    cell = scaled(cv2.cvtColor(coloured, cv2.COLOR_BGR2RGB), (across, down))
    bar = cv2.applyColorMap(np.linspace(0, 255, across - 40).astype(np.uint8)[None], cv2.COLORMAP_MAGMA)
    bar = np.repeat(cv2.cvtColor(bar, cv2.COLOR_BGR2RGB), 12, axis=0)
    image = Image.fromarray(cell)
    draw = ImageDraw.Draw(image)
    draw.rectangle((19, down - 33, across - 20, down - 20), None, "white", 1)
    image.paste(Image.fromarray(bar), (20, down - 32))
    draw.text((20, down - 40), f"{low:g}", "white", font(SMALL), anchor="lb")
    draw.text((across - 20, down - 40), f"{high:g}", "white", font(SMALL), anchor="rb")
    return np.asarray(image)
