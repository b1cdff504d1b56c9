"""`bsn segment`: write the pictures of many photos, and print one line per photo. bsn/__main__.py has its options."""

import os
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TextIO

import numpy as np

from bsn.cutout import effects
from bsn.cutout.cutout import Cutout, Portrait
from bsn.cutout.photo_files import find_photos, is_written, write_picture
from bsn.disk import disk_errors
from bsn.errors import InputError, brief
from bsn.workers import ahead

KINDS = ("mask", "trimap", "matte", "background", "blur", "cartoon")


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
    """Write the pictures of each photo and print one line per photo.

    A photo that fails is reported in one line, and the others are processed.

    Args:
        photos: paths, folders and patterns, as in `find_photos`.
        out: folder for the pictures, made if missing.
        kinds: pictures to write, of KINDS; empty for the cut-out.
        background: as in `effects.backdrop`; None for nothing behind the portrait.
        band: as in `Cutout`.
        model: as in `Portrait.load`.
        mean_mask: as in `Portrait.load`.

    Returns:
        Exit status: 0, or 1 if anything failed.
    """
    found = find_photos(photos)
    failures = 0
    for line in found.empty:
        failures += _complain(line)
    if not found.files:
        return 1
    try:
        behind = effects.backdrop(background) if background is not None else None
        _make_folder(out)
        portrait = Portrait.load(model, mean_mask=mean_mask)
    except InputError as error:
        _complain(error)
        return 1
    claims = _Claims([*found.files, *([Path(background)] if background else [])])
    for file, segmented in ahead(partial(portrait.cut_out, band=band), found.files, threads=portrait.threads):
        try:
            targets = _targets(file, kinds, out)
            claims.check(targets.values(), file)
            cutout = segmented()
            for kind, target in targets.items():
                write_picture(target, _picture(kind, cutout, behind))
                claims.take(target, file)
        except Exception as error:
            line = str(error) if isinstance(error, InputError) else f"cannot be cut out ({brief(error)})"
            failures += _complain(line if line.startswith(str(file)) else f"{file}: {line}")
        else:
            _print(f"{file} -> {', '.join(map(str, targets.values()))}{_remark(cutout)}", sys.stdout)
    return 1 if failures else 0


def _targets(file: Path, kinds: Sequence[str], out: Path) -> dict[str, Path]:
    """Output file of each requested picture, by its kind."""
    if not kinds:
        return {"cutout": out / f"{file.stem}.png"}
    return {kind: out / f"{file.stem}_{kind}.png" for kind in kinds}


def _make_folder(out: Path) -> None:
    if os.path.exists(out) and not os.path.isdir(out):
        raise InputError(f"--out {out} is a file; name a folder")
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    if not os.access(out, os.W_OK):
        raise InputError(f"--out {out} cannot be written to; name another folder")


class _Claims:
    """Output files written so far; refuses to overwrite an input, another photo's picture, or a foreign file."""

    def __init__(self, inputs: Iterable[Path]) -> None:
        self._inputs = {os.path.realpath(file) for file in inputs}
        self._taken: dict[str, Path] = {}

    def check(self, targets: Iterable[Path], photo: Path) -> None:
        """Raise InputError if a target is taken."""
        for target in targets:
            place = os.path.realpath(target)
            if place in self._inputs:
                raise InputError(f"{photo}: {target} would overwrite a photo that was given; take another --out")
            if place in self._taken:
                raise InputError(
                    f"{photo}: {target} is already written for {self._taken[place]}; segment it in a call of its own, "
                    "with another --out"
                )
            if os.path.isfile(target) and not is_written(target):
                raise InputError(f"{photo}: {target} is there, and bsn segment did not write it; take another --out")

    def take(self, target: Path, photo: Path) -> None:
        """Record that the picture of `photo` is written."""
        self._taken[os.path.realpath(target)] = photo


def _picture(kind: str, cutout: Cutout, behind: effects.Backdrop | None) -> np.ndarray:
    if kind == "mask":
        return 255 * cutout.mask
    if kind == "trimap":
        return cutout.trimap
    if kind == "matte":
        return effects.grey(cutout.alpha)
    if kind == "blur":
        return _blurred(cutout)
    front = effects.cartoon(cutout.foreground) if kind == "cartoon" else cutout.foreground
    if kind == "cutout" or behind is None:
        return effects.cut_out(front, cutout.alpha)
    height, width = cutout.mask.shape
    return effects.composite(front, cutout.alpha, behind(height, width))


def _blurred(cutout: Cutout) -> np.ndarray:
    """RGB, or RGBA for a photo with transparency, whose transparent pixels are not mixed into the blur."""
    opacity = 1 if cutout.opacity is None else cutout.opacity / np.float32(255)
    background = effects.out_of_focus(cutout.background, 1 - (1 - cutout.matte) * opacity)
    picture = effects.composite(cutout.foreground, cutout.matte, background)
    return picture if cutout.opacity is None else np.dstack([picture, cutout.opacity])


def _remark(cutout: Cutout) -> str:
    if not cutout.mask.any():
        return "  (no portrait found)"
    if cutout.faces == 0:
        return "  (no face found: position unknown to the network)"
    return f"  ({cutout.faces} faces: aligned to the largest)" if cutout.faces > 1 else ""


def _complain(line: object) -> int:
    _print(f"segment: {line}", sys.stderr)
    return 1


def _print(line: str, stream: TextIO | None) -> None:
    """Print a line whose file names may have characters that the stream's encoding lacks, or line ends."""
    if stream is None:  # closed, as by `>&-`
        return
    line = line.replace("\n", "\\n").replace("\r", "\\r")
    encoding = stream.encoding or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
