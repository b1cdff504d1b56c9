"""The one exception that a user's input can cause."""


class InputError(ValueError):
    """Bad input, told in one line: the thing, its value, and what to do about it."""
