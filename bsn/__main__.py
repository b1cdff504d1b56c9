"""python -m bsn segment PHOTO... --out DIR"""

import argparse
import sys

from bsn.cutout import command


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bsn", description="Portrait segmentation.")
    command.add_to(parser.add_subparsers(required=True, metavar="COMMAND"))
    options = parser.parse_args(arguments)
    return options.run(options)


if __name__ == "__main__":
    sys.exit(main())
