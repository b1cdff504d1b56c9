"""The command line of `python -m bsn segment`; bsn/cutout/batch.py does the work."""

import argparse
from pathlib import Path

_ABOUT = """\
Cut portraits out of photos with a trained network. Nothing is trained here: `dvc repro train@bsn` makes models/bsn.

Each photo gives DIR/<name>.png, the portrait with a soft edge on nothing (RGBA), at the photo's own size and turned as
its EXIF says. The options ask for other pictures in its place, DIR/<name>_<option>.png each.

A folder is taken whole, but for hidden files and folders in it: JPEG, PNG, TIFF, WebP, AVIF and whatever else Pillow
knows by its content, HEIC after `pip install pillow-heif`. What can't be cut out is named on stderr, the others are
done, and the exit status is 1.
"""


def add_to(commands: argparse._SubParsersAction) -> None:
    """Add `segment` to the commands; `run(options)` of what it parses returns the exit status."""
    parser = commands.add_parser(
        "segment",
        help="cut portraits out of photos",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="photo, folder of photos, or pattern ('**/*.jpg')")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the pictures")
    parser.add_argument("--trimap", action="store_true", help="portrait white, background black, unknown edge grey")
    parser.add_argument("--matte", action="store_true", help="share of portrait in each pixel, black to white")
    parser.add_argument("--background", metavar="IMG|COLOUR", help="the portrait in front of a picture or a colour")
    parser.add_argument("--blur", action="store_true", help="the photo with its background out of focus")
    parser.add_argument("--cartoon", action="store_true", help="the portrait drawn flat, on --background or on nothing")
    parser.add_argument(
        "--band",
        type=_width,
        default=10.0,
        metavar="PIXELS",
        help="width of the unknown edge, of trimap and matte alike; in pixels of an 800x600 photo, and so many times "
        "more in a larger one (default 10, the paper's; hair wants more)",
    )
    parser.add_argument("--model", default="models/bsn", metavar="DIR", help="trained network (default models/bsn)")
    parser.add_argument(
        "--mean-mask",
        default="data/mean_mask/aligned.npy",
        metavar="FILE",
        help="the training set's (default data/mean_mask/aligned.npy)",
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    # Here, so that --help need not wait for torch.
    from bsn.cutout.batch import KINDS, segment_photos

    return segment_photos(
        options.photos,
        out=options.out,
        kinds=[kind for kind in KINDS if getattr(options, kind)],
        background=options.background,
        band=options.band,
        model=options.model,
        mean_mask=options.mean_mask,
    )


def _width(text: str) -> float:
    try:
        width = float(text)
    except ValueError:
        width = 0.0
    if not 0 < width < float("inf"):
        raise argparse.ArgumentTypeError(f"band = {text!r}; give a number of pixels above 0")
    return width
