"""Command line: `bsn segment PHOTO... --out DIR` and `bsn score PREDICTIONS TRUTH` (or `python -m bsn`).

Each command imports its code when it runs, so that --help does not wait for torch and pandas.
"""

import argparse
import sys
from pathlib import Path

from bsn import program

_ABOUT_SEGMENT = """\
Cut portraits out of photos with a trained network, models/bsn by default; `dvc repro train@bsn` trains it.

The result of each photo is DIR/<name>.png: the portrait with a soft edge on a transparent background (RGBA), at the
photo's own size, turned as its EXIF says. Each option below writes DIR/<name>_<option>.png instead.

For a folder, all its files are processed, except hidden ones, those in subfolders, and pictures that this command has
written. Formats: JPEG, PNG, TIFF, WebP, AVIF and every other one that Pillow recognises by its content; HEIC after
`pip install pillow-heif`. A name that begins with a dash is given as ./-name.jpg. A file that cannot be cut out is
named on stderr, the others are processed, and the exit status is 1. Earlier pictures of this command in DIR are
replaced, and no other file.
"""
_ABOUT_SCORE = """\
Measure masks of this project's networks or of any other method by all of the project's metrics.

PREDICTIONS and TRUTH are folders. Masks are paired by file name, without suffix and without _mask. A mask is PFCN's
NNNNN_mask.mat of 0 and 1, or a picture. Which pixels of a picture are portrait depends on its values:
  with transparency, such as a cut-out:     opacity of 128 or more
  labels (a picture of the folder has 1s,   1; 255 is ignored in the truth
  and no values but 0, 1 and 255):
  any other:                                128 or more in some colour channel
Other label maps, such as 0, 1, 2 or 0, 128, 255, are refused.

Numbers are percent: the mean over photos, with its 95 % interval in brackets. With two folders of predictions, both are
measured on the photos that both have; the difference is the first's minus the second's, and a star marks intervals that
exclude 0.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    options = _parser().parse_args(arguments)
    return options.run(options)


def script() -> None:
    """Entry point of the `bsn` console command; exits."""
    command = sys.argv[1] if sys.argv[1:] else "bsn"
    program.begin(command)
    advice = "the pictures named above are written; a second run makes all of them again"
    program.run(main, name=command, again=advice if command == "segment" else program.AGAIN)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bsn", description="Portrait segmentation.", allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    raw = argparse.RawDescriptionHelpFormatter
    segment = commands.add_parser(
        "segment",
        help="cut portraits out of photos",
        description=_ABOUT_SEGMENT,
        formatter_class=raw,
        allow_abbrev=False,
    )
    segment.add_argument("photos", nargs="+", metavar="PHOTO", help="photo, folder of photos, or pattern ('**/*.jpg')")
    segment.add_argument("--out", required=True, type=_folder, metavar="DIR", help="folder for the pictures")
    segment.add_argument("--mask", action="store_true", help="portrait white, background black, without a soft edge")
    segment.add_argument("--trimap", action="store_true", help="portrait white, background black, unknown edge grey")
    segment.add_argument("--matte", action="store_true", help="portrait opacity of each pixel, black to white")
    segment.add_argument(
        "--background", metavar="PICTURE|COLOUR", help="the portrait on a new background: a picture or a colour"
    )
    segment.add_argument("--blur", action="store_true", help="the photo with its background out of focus")
    segment.add_argument(
        "--cartoon", action="store_true", help="the portrait as a cartoon, on --background or transparent"
    )
    segment.add_argument(
        "--band",
        type=_width,
        default=10.0,
        metavar="PIXELS",
        help="width of the unknown edge, in trimap and matte, in pixels of an 800x600 photo; it scales with the photo "
        "(default 10, as in the paper; hair needs more)",
    )
    segment.add_argument("--model", default="models/bsn", metavar="DIR", help="trained network (default models/bsn)")
    segment.add_argument(
        "--mean-mask",
        default="data/mean_mask/aligned.npy",
        metavar="FILE",
        help="aligned mean mask of the training set (default data/mean_mask/aligned.npy)",
    )
    segment.set_defaults(run=_segment)
    score = commands.add_parser(
        "score", help="measure folders of masks", description=_ABOUT_SCORE, formatter_class=raw, allow_abbrev=False
    )
    score.add_argument("predictions", nargs="+", type=Path, metavar="PREDICTIONS", help="one folder of masks, or two")
    score.add_argument("truth", type=Path, metavar="TRUTH", help="folder of true masks")
    score.add_argument("--csv", type=Path, metavar="FILE", help="also write one row of metrics per photo")
    score.set_defaults(run=_score)
    return parser


def _segment(options: argparse.Namespace) -> int:
    from bsn.cutout.command import KINDS, segment_photos

    return segment_photos(
        options.photos,
        out=options.out,
        kinds=[kind for kind in KINDS if getattr(options, kind)],
        background=options.background,
        band=options.band,
        model=options.model,
        mean_mask=options.mean_mask,
    )


def _score(options: argparse.Namespace) -> int:
    from bsn.score import compare

    return compare(options.predictions, options.truth, csv=options.csv)


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("it is empty; name a folder")
    return Path(text)


def _width(text: str) -> float:
    try:
        width = float(text)
    except ValueError:
        width = 0.0
    if not 0 < width < float("inf"):
        raise argparse.ArgumentTypeError(f"band = {text!r}; give a number of pixels above 0")
    return width


if __name__ == "__main__":
    script()
