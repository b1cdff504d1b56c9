"""Figures 1 to 9 of the paper for any run, and beyond it what tells where and how surely the methods differ."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from study.figures import (
    applications,
    architecture,
    bands,
    boundaries,
    challenges,
    curves,
    error_map,
    extremes,
    hair,
    kernel_steps,
    margins,
    pfcn_samples,
    portrait_samples,
    scatter,
    trimaps,
)
from study.figures.material import Material, Missing
from study.figures.sheet import notice


@dataclass(frozen=True)
class Figure:
    """A figure of the report: its file, its title, and what draws it (Material -> picture, caption)."""

    file: str
    title: str
    draw: Callable[[Material], tuple[Image.Image, str]]


FIGURES = (
    Figure("figure1.png", "Figure 1. The network", architecture.draw),
    Figure("figure2.jpg", "Figure 2. Kernels", kernel_steps.draw),
    Figure("figure3.jpg", "Figure 3. Hair and shape", hair.draw),
    Figure("figure4.jpg", "Figure 4. PFCN", pfcn_samples.draw),
    Figure("figure5.jpg", "Figure 5. COCO, COCO-Stuff, PASCAL VOC", portrait_samples.draw),
    Figure("figure6.jpg", "Figure 6. Challenging scenes", challenges.draw),
    Figure("figure7.jpg", "Figure 7. Boundaries", boundaries.draw),
    Figure("figure8.jpg", "Figure 8. Trimaps", trimaps.draw),
    Figure("figure9.jpg", "Figure 9. Applications", applications.draw),
    Figure("bands.png", "IoU near the boundary", bands.draw),
    Figure("scatter.png", "BSN against PortraitDeepLabv2, photo by photo", scatter.draw),
    Figure("extremes.jpg", "Best and worst photos of BSN", extremes.draw),
    Figure("error_map.jpg", "Where the methods err", error_map.draw),
    Figure("portrait_margins.png", "Table 2 against the margin of the face box", margins.draw),
    Figure("curves.png", "Training curves", curves.draw),
)


def draw_all(
    material: Material, folder: Path, *, progress: Callable[[tuple[Figure, ...]], Iterable[Figure]] = iter
) -> list[dict[str, str]]:
    """Draw every figure into `folder`; a figure whose inputs are missing becomes a picture that says so.

    Args:
        material: what the figures are drawn from.
        folder: where the pictures are written.
        progress: wraps the figures, as tqdm does.

    Returns:
        file, title and caption of each figure, in order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    captions = []
    for figure in progress(FIGURES):
        try:
            picture, caption = figure.draw(material)
        except Missing as why:
            picture, caption = notice(str(why)), f"Not drawn. {why}"
        # Full-resolution colour: thin orange lines on photos smear otherwise. PNG ignores both options.
        picture.save(folder / figure.file, quality=87, subsampling=0, optimize=True)
        captions.append({"file": figure.file, "title": figure.title, "caption": caption})
    return captions
