"""Command line: `bsn segment PHOTO... --out DIR` and `bsn score PREDICTIONS TRUTH` (or `python -m bsn`).

The work is imported late, so that --help does not wait for torch and pandas.
"""

import argparse
import sys
from pathlib import Path

from bsn import program

_ABOUT_SEGMENT = """\
Cut portraits out of photos with a trained network. Nothing is trained here: `dvc repro train@bsn` makes models/bsn.

Each photo gives DIR/<name>.png, the portrait with a soft edge on nothing (RGBA), at the photo's own size and turned as
its EXIF says. The options ask for other pictures in its place, DIR/<name>_<option>.png each.

A folder is taken whole, but for hidden files and folders in it: JPEG, PNG, TIFF, WebP, AVIF and whatever else Pillow
knows by its content, HEIC after `pip install pillow-heif`. What can't be cut out is named on stderr, the others are
done, and the exit status is 1.
"""
_ABOUT_SCORE = """\
Measure masks, of this project's networks or of any other method, by all of the project's metrics.

PREDICTIONS and TRUTH are folders; masks are paired by file name without the suffix (and without _mask). A mask is a
picture, or PFCN's NNNNN_mask.mat of 0 and 1. In a picture with transparency, as a cut-out, portrait is what is opaque.
In one that holds only 0, 1 and 255 it is 1, and 255 is ignored in the truth. In any other it is what is 128 or brighter
in some colour. With two folders of predictions both are measured on the photos that both have.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    options = _parser().parse_args(arguments)
    return options.run(options)


def script() -> None:
    """Entry point of the `bsn` console command; exits."""
    command = sys.argv[1] if sys.argv[1:] else "bsn"
    program.begin(command)
    written = "the pictures named above are written; run it again for the others"
    program.run(main, name=command, again=written if command == "segment" else program.AGAIN)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bsn", description="Portrait segmentation.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    raw = argparse.RawDescriptionHelpFormatter
    segment = commands.add_parser(
        "segment", help="cut portraits out of photos", description=_ABOUT_SEGMENT, formatter_class=raw
    )
    segment.add_argument("photos", nargs="+", metavar="PHOTO", help="photo, folder of photos, or pattern ('**/*.jpg')")
    segment.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the pictures")
    segment.add_argument("--trimap", action="store_true", help="portrait white, background black, unknown edge grey")
    segment.add_argument("--matte", action="store_true", help="share of portrait in each pixel, black to white")
    segment.add_argument("--background", metavar="IMG|COLOUR", help="the portrait in front of a picture or a colour")
    segment.add_argument("--blur", action="store_true", help="the photo with its background out of focus")
    segment.add_argument(
        "--cartoon", action="store_true", help="the portrait drawn flat, on --background or on nothing"
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
        help="the training set's (default data/mean_mask/aligned.npy)",
    )
    segment.set_defaults(run=_segment)
    score = commands.add_parser("score", help="measure folders of masks", description=_ABOUT_SCORE, formatter_class=raw)
    score.add_argument("predictions", nargs="+", type=Path, metavar="PREDICTIONS", help="one folder of masks, or two")
    score.add_argument("truth", type=Path, metavar="TRUTH", help="folder of true masks")
    score.add_argument("--csv", type=Path, metavar="FILE", help="write the numbers of every photo there")
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
