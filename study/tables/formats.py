"""How numbers are written in tables. None and NaN are a dash."""

import math
from collections.abc import Callable
from functools import wraps

DASH = "-"
MINUS = "\N{MINUS SIGN}"


def _or_dash(write: Callable[..., str]) -> Callable[..., str]:
    @wraps(write)
    def dashed(*values: float | None) -> str:
        missing = any(value is None or math.isnan(value) for value in values)
        return DASH if missing else write(*values)

    return dashed


@_or_dash
def percent(fraction: float) -> str:
    """0.9674 -> 96.7"""
    return f"{100 * fraction:.1f}"


@_or_dash
def signed_percent(fraction: float) -> str:
    """-0.0123 -> −1.2; what rounds to zero has no sign."""
    written = f"{100 * fraction:+.1f}"
    return "0.0" if float(written) == 0 else written.replace("-", MINUS)


@_or_dash
def interval(low: float, high: float) -> str:
    """0.91, 0.934 -> 91.0 to 93.4"""
    return f"{100 * low:.1f} to {100 * high:.1f}"


@_or_dash
def gain(mean: float, low: float, high: float) -> str:
    """Signed difference with its interval, in bold (Markdown) when the interval leaves out zero."""
    written = f"{signed_percent(mean)} ({signed_percent(low)} to {signed_percent(high)})"
    return f"**{written}**" if low > 0 or high < 0 else written


@_or_dash
def spread(mean: float, deviation: float) -> str:
    """0.9341, 0.0021 -> 93.4 ± 0.2"""
    return f"{percent(mean)} ± {percent(deviation)}"


@_or_dash
def signed_spread(mean: float, deviation: float) -> str:
    """-0.0123, 0.0021 -> −1.2 ± 0.2"""
    return f"{signed_percent(mean)} ± {percent(deviation)}"


@_or_dash
def count(number: float) -> str:
    """1234 -> 1234"""
    return f"{number:.0f}"


@_or_dash
def signed_count(number: float) -> str:
    """-12 -> −12"""
    return f"{number:+.0f}".replace("-", MINUS) if number else "0"


@_or_dash
def parameters(number: float) -> str:
    """1234567 -> 1.23 M; a method without parameters has a dash."""
    return f"{number / 1e6:.2f} M" if number else DASH


@_or_dash
def seconds(number: float) -> str:
    """0.02137 -> 0.021, 0.01 -> 0.010: two digits that count."""
    return f"{number:#.2g}".rstrip(".")
