"""python -m bsn segment PHOTO... --out DIR"""

import argparse

from bsn import program
from bsn.cutout import command


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bsn", description="Portrait segmentation.")
    command.add_to(parser.add_subparsers(required=True, metavar="COMMAND"))
    options = parser.parse_args(arguments)
    return options.run(options)


if __name__ == "__main__":
    program.begin("segment")
    program.run(main, name="segment", again="the pictures named above are written; run it again for the others")
