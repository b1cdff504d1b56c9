"""The exception for bad input, and any exception as one line."""


class InputError(ValueError):
    """Bad input, as one line: the thing, its value, and what to do about it."""


def brief(error: BaseException) -> str:
    """Type and first line of the message, as in "OSError: image file is truncated"."""
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
