"""Figures 1 to 9 of the paper for any run, and further plots of where the methods differ and how certain that is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from study.figures import boundaries, differences, method, plots, samples
from study.figures.material import Material, Missing
from study.figures.sheet import notice


@dataclass(frozen=True)
class Figure:
    """A figure of the report: its file, its title, and the function that draws it (Material -> picture, caption)."""

    file: str
    title: str
    draw: Callable[[Material], tuple[Image.Image, str]]


FIGURES = (
    Figure("figure1.png", "Figure 1. The network", method.draw_network),
    Figure("figure2.jpg", "Figure 2. Kernels", method.draw_kernels),
    Figure("figure3.jpg", "Figure 3. Hair and shape", samples.draw_hair),
    Figure("figure4.jpg", "Figure 4. PFCN", samples.draw_pfcn),
    Figure("figure5.jpg", "Figure 5. COCO, COCO-Stuff, PASCAL VOC", samples.draw_other_sets),
    Figure("figure6.jpg", "Figure 6. Challenging scenes", samples.draw_challenges),
    Figure("figure7.jpg", "Figure 7. Boundaries", boundaries.draw_boundaries),
    Figure("figure8.jpg", "Figure 8. Trimaps", boundaries.draw_trimaps),
    Figure("figure9.jpg", "Figure 9. Applications", boundaries.draw_applications),
    Figure("bands.png", "IoU near the boundary", plots.draw_bands),
    Figure("scatter.png", "BSN against PortraitDeepLabv2 by photo", differences.draw_scatter),
    Figure("extremes.jpg", "Best and worst photos of BSN", samples.draw_extremes),
    Figure("error_map.jpg", "Where the methods err", differences.draw_error_map),
    Figure("portrait_margins.png", "Table 2 by margin of the face box", plots.draw_margins),
    Figure("curves.png", "Training curves", plots.draw_curves),
)


def draw_all(
    material: Material, folder: Path, *, progress: Callable[[tuple[Figure, ...]], Iterable[Figure]] = iter
) -> list[dict[str, str]]:
    """Draw every figure into `folder`; a figure whose inputs are missing becomes a picture that says so.

    Args:
        material: inputs of the figures.
        folder: where the pictures are written.
        progress: wraps the figures, as tqdm does.

    Returns:
        `file`, `title` and `caption` of each figure, in order: the content of `reports/captions.json`.
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
