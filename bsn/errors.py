"""The one exception that a user's input can cause, and any other error in one line."""


class InputError(ValueError):
    """Bad input, told in one line: the thing, its value, and what to do about it."""


def brief(error: BaseException) -> str:
    """The error's type and the first line of its message, as in "OSError: image file is truncated"."""
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
