"""Figures 1 and 2: the network as built and trained, with the sizes of its tensors, and the kernels step by step."""

from typing import cast

import cv2
import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import nn

from bsn import kernels, models
from bsn.cutout.effects import cropped_to_fill
from bsn.inputs import CHANNELS
from bsn.model_format import DESCRIPTION, ModelDescription
from bsn.models.deeplab import DeepLabV2
from study.figures.material import Material, Missing
from study.figures.plots import picture, pyplot_in_style
from study.figures.sheet import (
    BACKGROUND,
    BOUNDARY,
    FOREGROUND,
    MUTED,
    PALE,
    SMALL,
    Picture,
    cell_width,
    font,
    grid,
)

METHOD = "bsn"
# Left edge and width of the boxes of each part, in units of the diagram.
_BOX_LEFT = {"input": 0.3, "scaled": 2.9, "backbone": 5.1, "aspp": 7.9, "maximum": 10.5, "output": 12.1}
_BOX_WIDTH = {"input": 2.1, "scaled": 1.7, "backbone": 2.3, "aspp": 2.1, "maximum": 1.1, "output": 2.2}

CLASS_COLOURS = np.array([FOREGROUND, BOUNDARY, BACKGROUND], np.float32)
_HEADS = ["Photo", "Contour", "Three classes", "Individual kernel", "Global kernel"]
_ZOOM = 4


def draw_network(material: Material) -> tuple[Image.Image, str]:
    """Figure 1: block diagram of the trained network, left to right; shared parts have the same colour."""
    folder = material.models / METHOD
    if not (folder / DESCRIPTION).exists():
        raise Missing("BSN was not trained in this run.")
    description = ModelDescription.read(folder)
    model = cast(DeepLabV2, models.load(folder))
    height, width = cast(tuple[int, int], description.size)  # every network has one
    features, logits = _shapes(model, height, width)
    options = description.options
    middle = (len(model.scales) - 1) / 2
    caption = (
        f"BSN's network as trained here: {_millions(model)} parameters, {_millions(model.backbone)} of them in the "
        f"backbone. All {len(model.scales)} scales share one backbone and one ASPP. Each box gives the size of its "
        "output, channels x height x width."
    )
    with pyplot_in_style() as pyplot:
        figure, panel = pyplot.subplots(figsize=(14.6, 1.9 * len(model.scales) + 1.9), dpi=100, layout="constrained")
        panel.axis("off")

        def box(part: str, row: float, text: str, colour: str) -> None:
            corner = (_BOX_LEFT[part], -row - 0.36)
            panel.add_patch(pyplot.Rectangle(corner, _BOX_WIDTH[part], 0.72, facecolor=colour, edgecolor=MUTED))
            panel.text(_BOX_LEFT[part] + _BOX_WIDTH[part] / 2, -row, text, ha="center", va="center", fontsize=14)

        def arrow(one: str, row: float, other: str, other_row: float) -> None:
            ends = (_BOX_LEFT[one] + _BOX_WIDTH[one], -row), (_BOX_LEFT[other], -other_row)
            panel.annotate("", ends[1], ends[0], arrowprops={"arrowstyle": "->", "color": MUTED, "lw": 1.6})

        box("input", middle, f"photo, position,\nmean mask\n{CHANNELS} x {height} x {width}", PALE)
        last = len(model.scales)
        for number, scale in enumerate(model.scales):
            row = last - 1 - number  # scale 1 lowest, above the attribute branch, which reads it
            sides = f"{round(height * scale)} x {round(width * scale)}"
            box("scaled", row, f"scale {scale:g}\n{CHANNELS} x {sides}", PALE)
            box("backbone", row, f"{options['backbone']}\n{_size(features[number])}", "#dceef1")
            box("aspp", row, f"ASPP {', '.join(map(str, options['aspp_rates']))}\n{_size(logits[number])}", "#ffe8d6")
            for one, other in (("scaled", "backbone"), ("backbone", "aspp")):
                arrow(one, row, other, row)
            arrow("input", middle, "scaled", row)
            arrow("aspp", row, "maximum", middle)
        box("maximum", middle, f"maximum\n{_size(logits[0])}", PALE)
        arrow("maximum", middle, "output", middle)
        box(
            "output",
            middle,
            f"upsampled\nforeground,\n{'boundary, ' if logits[0][0] == 3 else ''}background",
            PALE,
        )
        for number in range(len(model.attribute_branch)):
            row = last + 0.05 + 0.8 * number
            neurons = options["attribute_neurons"]
            text = f"attributes: {', '.join(description.attributes)}\npool, {neurons}, {neurons}, 2"
            box("aspp", row, text, "#e6e0f0")
            arrow("backbone", last - 1 - number, "aspp", row)
        panel.set(xlim=(0, 14.6), ylim=(-last - 0.8 * max(len(model.attribute_branch), 1) + 0.1, 0.5))
        return picture(figure), caption


def _shapes(model: DeepLabV2, height: int, width: int) -> tuple[list[torch.Size], list[torch.Size]]:
    """Output sizes of backbone and ASPP at each scale, without the batch dimension."""
    found: dict[nn.Module, list[torch.Size]] = {model.backbone: [], model.aspp: []}
    hooks = [
        part.register_forward_hook(lambda module, _, output: found[module].append(output.shape[1:])) for part in found
    ]
    with torch.inference_mode():
        model(torch.zeros(1, CHANNELS, height, width))
    for hook in hooks:
        hook.remove()
    return found[model.backbone], found[model.aspp]


def _size(shape: torch.Size) -> str:
    return " x ".join(map(str, shape))


def _millions(module: nn.Module) -> str:
    return f"{sum(parameter.numel() for parameter in module.parameters()) / 1e6:.2f} M"


def draw_kernels(material: Material) -> tuple[Image.Image, str]:
    """Figure 2: the middle photo of the training list, each step magnified at the same place."""
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
    cells.append(_global_kernel_picture(material))
    caption = (
        f"How the kernels are made: training photo {photo}; its contour; foreground, boundary "
        f"({material.kernel_width:g} pixels wide on an 800x600 photo) and background; the individual kernel (reading "
        f"“{material.kernel_reading}” of eq. 1); the global kernel of eq. 6, made from the mean mask."
    )
    return grid([cells], heads=_HEADS), caption


def _mixed(share: np.ndarray) -> Picture:
    """Blend the classes' colours by `share` (3, H, W) of foreground, boundary and background."""
    return np.rint(np.tensordot(share, CLASS_COLOURS, axes=(0, 0))).astype(np.uint8)


def _place(line: np.ndarray) -> tuple[int, int]:
    """Pixel (x, y) of the contour that is nearest to where the hair usually ends."""
    height, width = line.shape
    points = np.argwhere(line)[:, ::-1]
    return tuple(points[np.square(points - (0.3 * width, 0.4 * height)).sum(axis=1).argmin()])


def _magnified(step: Picture, place: tuple[int, int]) -> Picture:
    """The step at cell size, with an inset that magnifies the neighbourhood of `place`."""
    across = cell_width(len(_HEADS))
    scale = across / step.shape[1]
    cell = cropped_to_fill(step, (across, round(scale * step.shape[0])))
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


def _global_kernel_picture(material: Material) -> Picture:
    low, high = material.global_low, material.global_high
    mean = np.load(material.mean_mask)
    kernel = kernels.global_kernel(mean, a=low, b=high, reading=material.global_reading)
    share = (kernel - low) / (high - low) if high > low else np.ones_like(kernel)
    across = cell_width(len(_HEADS))
    down = round(across * share.shape[0] / share.shape[1])
    coloured = cv2.applyColorMap(np.rint(255 * share).clip(0, 255).astype(np.uint8), cv2.COLORMAP_MAGMA)
    cell = cropped_to_fill(cv2.cvtColor(coloured, cv2.COLOR_BGR2RGB), (across, down))
    bar = cv2.applyColorMap(np.linspace(0, 255, across - 40).astype(np.uint8)[None], cv2.COLORMAP_MAGMA)
    bar = np.repeat(cv2.cvtColor(bar, cv2.COLOR_BGR2RGB), 12, axis=0)
    image = Image.fromarray(cell)
    draw = ImageDraw.Draw(image)
    draw.rectangle((19, down - 33, across - 20, down - 20), None, "white", 1)
    image.paste(Image.fromarray(bar), (20, down - 32))
    draw.text((20, down - 40), f"{low:g}", "white", font(SMALL), anchor="lb")
    draw.text((across - 20, down - 40), f"{high:g}", "white", font(SMALL), anchor="rb")
    return np.asarray(image)
