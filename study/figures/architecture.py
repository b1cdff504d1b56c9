"""Figure 1: BSN's network as built and trained, with the sizes of its tensors."""

from typing import cast

import torch
from PIL import Image
from torch import nn

from bsn import models
from bsn.inputs import CHANNELS
from bsn.model_format import DESCRIPTION, ModelDescription
from bsn.models.deeplab import DeepLabV2
from study.figures.material import Material, Missing
from study.figures.plots import picture, pyplot_in_style
from study.figures.sheet import MUTED, PALE

METHOD = "bsn"
_LEFT = {"input": 0.3, "scaled": 2.9, "backbone": 5.1, "aspp": 7.9, "maximum": 10.5, "output": 12.1}
_WIDTH = {"input": 2.1, "scaled": 1.7, "backbone": 2.3, "aspp": 2.1, "maximum": 1.1, "output": 2.2}


def draw(material: Material) -> tuple[Image.Image, str]:
    """Block diagram of the trained network, left to right; shared parts have the same colour."""
    folder = material.curves / METHOD
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
            corner = (_LEFT[part], -row - 0.36)
            panel.add_patch(pyplot.Rectangle(corner, _WIDTH[part], 0.72, facecolor=colour, edgecolor=MUTED))
            panel.text(_LEFT[part] + _WIDTH[part] / 2, -row, text, ha="center", va="center", fontsize=14)

        def arrow(one: str, row: float, other: str, other_row: float) -> None:
            ends = (_LEFT[one] + _WIDTH[one], -row), (_LEFT[other], -other_row)
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
