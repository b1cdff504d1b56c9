"""Run one stage as a command, and find the checkout that it belongs to."""

import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from bsn import program
from bsn.errors import InputError

# Folders of what stages write.
_MADE = ("data", "models", "metrics", "reports")


def run_stage(stage: Callable[..., int | None], *, name: str = "", again: str = program.AGAIN) -> NoReturn:
    """Call `stage` with the command line's arguments, and exit as `bsn.program.run` does.

    An input that another stage has not written yet is reported in one line.

    --help prints the usage and the module's docstring and exits with 0; a wrong number of arguments exits with 2.

    Args:
        stage: a function of positional strings. One with `*arguments` parses them itself, including --help.
        name: for error messages; by default the function's.
        again: advice in the message after a signal.
    """
    arguments, name = sys.argv[1:], name or stage.__name__
    taken = inspect.signature(stage).parameters.values()
    if not any(parameter.kind is parameter.VAR_POSITIONAL for parameter in taken):
        needed = [parameter.name.upper() for parameter in taken if parameter.default is parameter.empty]
        optional = [f"[{parameter.name.upper()}]" for parameter in taken if parameter.default is not parameter.empty]
        module = sys.modules[stage.__module__]
        command = module.__spec__.name if module.__spec__ else stage.__module__
        usage = " ".join(["usage: python -m", command, *needed, *optional])
        if {"-h", "--help"} & set(arguments):
            program.run(lambda: print(f"{usage}\n\n{module.__doc__}"), name=name)  # `--help | head` ends silently
        if not len(needed) <= len(arguments) <= len(taken):
            print(usage, file=sys.stderr)
            sys.exit(2)
    program.run(lambda: _call(stage, arguments), name=name, again=again)


def _call(stage: Callable[..., int | None], arguments: list[str]) -> int | None:
    try:
        return stage(*arguments)
    except FileNotFoundError as error:
        # DVC runs a stage when all its inputs are there; a user or torchrun may run it before.
        if str(error.filename).split("/")[0] in _MADE:
            raise InputError(f"{error.filename} is missing; `dvc repro` makes it") from error
        raise


def user_path(text: str) -> Path:
    """Path that a user gave: `~` is a home, and a relative one lies in the checkout.

    Raises:
        InputError: it starts with ~ and the name of an unknown user.
    """
    try:
        return checkout() / Path(text).expanduser()
    except RuntimeError:
        raise InputError(f"{text!r} is in the home of an unknown user; write the whole path") from None


def checkout() -> Path:
    """The project's folder. An experiment runs in a temporary copy of it; DVC sets DVC_ROOT to the folder itself."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve()
