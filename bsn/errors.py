"""The exception for invalid input, and a one-line summary of any other exception."""


class InputError(ValueError):
    """Invalid input. The message is one line: the thing, its value, and what to do about it."""


def brief(error: BaseException) -> str:
    """Summarise an exception by its type and the first line of its message: "OSError: image file is truncated"."""
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
