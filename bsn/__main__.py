"""python -m bsn segment PHOTO... --out DIR; python -m bsn score PREDICTIONS TRUTH"""

import argparse
import sys
from pathlib import Path

from bsn import program
from bsn.cutout import command

_ABOUT_SCORE = """\
Measure masks, of this project's networks or of any other method, by all of the project's metrics.

PREDICTIONS and TRUTH are folders; masks belong together where their file names are equal without the suffix (and
without _mask). A mask is a picture, or PFCN's NNNNN_mask.mat of 0 and 1. In a picture portrait is what is opaque, where
some of it is transparent as in a cut-out; else 1, where there is nothing but 0, 1 and 255, of which 255 is ignored in
the truth; else what is 128 or brighter in some colour. With two folders of predictions both are measured on the photos
that both have.
"""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bsn", description="Portrait segmentation.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command.add_to(commands)
    _add_score(commands)
    options = parser.parse_args(arguments)
    return options.run(options)


def _add_score(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "score",
        help="measure folders of masks",
        description=_ABOUT_SCORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("predictions", nargs="+", type=Path, metavar="PREDICTIONS", help="one folder of masks, or two")
    parser.add_argument("truth", type=Path, metavar="TRUTH", help="folder of true masks")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the numbers of every photo there")
    parser.set_defaults(run=_run_score)


def _run_score(options: argparse.Namespace) -> int:
    from bsn.score import compare  # not above: --help need not wait for pandas

    return compare(options.predictions, options.truth, csv=options.csv)


if __name__ == "__main__":
    command_name = sys.argv[1] if sys.argv[1:] else "bsn"
    program.begin(command_name)
    written = "the pictures named above are written; run it again for the others"
    program.run(main, name=command_name, again=written if command_name == "segment" else program.AGAIN)
