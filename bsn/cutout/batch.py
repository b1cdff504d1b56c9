"""Many photos to pictures. What fails is told in a line, and the others go on."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from bsn.cutout import effects
from bsn.cutout.backdrop import Backdrop, backdrop
from bsn.cutout.cutout import Cutout
from bsn.cutout.photos import find_photos, write_picture
from bsn.cutout.portrait import Portrait
from bsn.disk import disk_errors
from bsn.errors import InputError

KINDS = ("trimap", "matte", "background", "blur", "cartoon")


def segment_photos(
    photos: Sequence[str],
    *,
    out: Path,
    kinds: Sequence[str],
    background: str | None,
    band: float,
    model: str,
    mean_mask: str,
) -> int:
    """Write the pictures of each photo and print a line on it; returns 0, or 1 if anything failed.

    photos, out, background, band, model, mean_mask: as on the command line (bsn/cutout/command.py). kinds: of KINDS;
    none gives the cut-out.
    """
    found = find_photos(photos)
    failures = 0
    for line in found.empty:
        failures += _complain(line)
    if not found.files:
        return 1
    try:
        behind = backdrop(background) if background else None
        with disk_errors(out):
            out.mkdir(parents=True, exist_ok=True)
        portrait = Portrait.load(model, mean_mask=mean_mask)
    except InputError as error:
        _complain(error)
        return 1
    claims = _Claims([*found.files, *([Path(background)] if background else [])])
    for file in found.files:
        try:
            targets = _targets(file, kinds, out)
            claims.take(targets.values(), file)
            cutout = portrait.cut_out(file, band=band)
            for kind, target in targets.items():
                write_picture(target, _picture(kind, cutout, behind))
            print(f"{file} -> {', '.join(map(str, targets.values()))}{_remark(cutout)}", flush=True)
        except InputError as error:
            failures += _complain(error)
    return 1 if failures else 0


def _targets(file: Path, kinds: Sequence[str], out: Path) -> dict[str, Path]:
    """The file of each picture that is asked for, by its kind."""
    if not kinds:
        return {"cutout": out / f"{file.stem}.png"}
    return {kind: out / f"{file.stem}_{kind}.png" for kind in kinds}


class _Claims:
    """Who may write what: no picture goes over a file that was read, nor over another photo's."""

    def __init__(self, inputs: Iterable[Path]) -> None:
        self._inputs = {file.resolve() for file in inputs}
        self._taken: dict[Path, Path] = {}

    def take(self, targets: Iterable[Path], photo: Path) -> None:
        """Raises InputError, and takes none, when one of the targets is not free."""
        places = {target.resolve(): target for target in targets}
        for place, target in places.items():
            if place in self._inputs:
                raise InputError(f"{photo}: {target} would overwrite a photo that was given; take another --out")
            if place in self._taken:
                raise InputError(
                    f"{photo}: {target} is the picture of {self._taken[place]}; photos of one name need an --out each"
                )
        self._taken |= dict.fromkeys(places, photo)


def _picture(kind: str, cutout: Cutout, behind: Backdrop | None) -> np.ndarray:
    if kind == "trimap":
        return cutout.trimap
    if kind == "matte":
        return effects.grey(cutout.alpha)
    if kind == "blur":
        return effects.composite(cutout.foreground, cutout.alpha, effects.out_of_focus(cutout.background, cutout.alpha))
    front = effects.cartoon(cutout.foreground) if kind == "cartoon" else cutout.foreground
    if kind == "cutout" or behind is None:
        return effects.cut_out(front, cutout.alpha)
    return effects.composite(front, cutout.alpha, behind(*cutout.mask.shape))


def _remark(cutout: Cutout) -> str:
    if not cutout.mask.any():
        return "  (no portrait found)"
    if cutout.faces == 0:
        return "  (no face found: position unknown to the network)"
    return f"  ({cutout.faces} faces: aligned to the largest)" if cutout.faces > 1 else ""


def _complain(line: object) -> int:
    print(f"segment: {line}", file=sys.stderr, flush=True)
    return 1
