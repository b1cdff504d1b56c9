"""Colours of the drawn world: RGB triples 0..255 and small sums on them."""

import numpy as np

Colour = tuple[float, float, float]

SKINS: tuple[Colour, ...] = (
    (250, 215, 188), (246, 206, 176), (239, 194, 160), (229, 179, 141), (216, 162, 122),
    (199, 143, 104), (176, 120, 84), (154, 103, 73), (131, 86, 61), (112, 73, 54),
)  # fmt: skip
HAIRS: dict[str, Colour] = {
    "black": (40, 34, 36), "espresso": (62, 43, 36), "brown": (92, 62, 44), "chestnut": (124, 74, 46),
    "auburn": (146, 70, 42), "ginger": (178, 94, 48), "sand": (168, 130, 84), "blonde": (204, 164, 106),
    "platinum": (212, 190, 150), "grey": (140, 138, 138), "white": (190, 188, 184), "rose": (205, 116, 138),
    "teal": (62, 128, 132),
}  # fmt: skip
EYES: tuple[Colour, ...] = ((74, 48, 30), (98, 66, 38), (110, 94, 54), (84, 112, 82), (82, 118, 150), (110, 130, 146))
# Muted gouache tones: every cloth, wall and prop comes from here, so that the pictures belong together.
CLOTHS: tuple[Colour, ...] = (
    (38, 44, 58), (58, 76, 104), (94, 124, 150), (152, 178, 188), (66, 92, 84), (112, 136, 104),
    (176, 186, 150), (226, 214, 188), (240, 236, 226), (222, 178, 108), (206, 138, 86), (186, 96, 78),
    (146, 62, 66), (104, 52, 70), (196, 140, 146), (228, 190, 182), (120, 100, 140), (92, 84, 80), (52, 46, 46),
)  # fmt: skip
WALLS: tuple[Colour, ...] = (
    (214, 204, 188), (196, 208, 206), (160, 178, 184), (118, 142, 152), (78, 98, 112), (188, 196, 168),
    (142, 156, 124), (92, 110, 92), (226, 196, 160), (208, 160, 126), (176, 118, 98), (206, 176, 178),
    (168, 150, 172), (112, 100, 118), (72, 66, 72), (48, 50, 58), (232, 226, 216), (222, 206, 150),
)  # fmt: skip
LEAVES: tuple[Colour, ...] = ((44, 72, 52), (66, 98, 62), (92, 122, 70), (130, 150, 86), (168, 174, 110), (54, 84, 80))


def mix(a: Colour, b: Colour, t: float) -> Colour:
    """Colour a fraction t of the way from a to b."""
    return tuple(x + (y - x) * t for x, y in zip(a, b, strict=True))


def tone(colour: Colour, factor: float) -> Colour:
    """Darker (factor < 1) with a touch of cool, or lighter (factor > 1) with a touch of warm."""
    if factor <= 1:
        return mix((14, 10, 22), colour, factor)
    return mix(colour, (255, 244, 224), min(1.0, factor - 1))


def sheen(colour: Colour, factor: float) -> Colour:
    """Hair in more or less light: the colour itself times `factor`, a little warmer and paler where it shines."""
    if factor <= 1:
        return tuple(c * factor for c in colour)
    # The brighter a channel, the less is added, or blond hair would turn lemon.
    return tuple(c + (factor - 1) * (c * (1.15 - 0.9 * c / 255) + g) for c, g in zip(colour, (16, 13, 11), strict=True))


def pick(rng: np.random.Generator, options):
    """One of `options`, all equally likely."""
    return options[int(rng.integers(len(options)))]


def jitter(rng: np.random.Generator, colour: Colour, amount: float) -> Colour:
    """`colour` moved by up to `amount` in brightness and half of it in each channel."""
    shift = rng.uniform(-amount, amount) + rng.uniform(-amount / 2, amount / 2, 3)
    return tuple(float(v) for v in np.clip(np.asarray(colour) + shift, 0, 255))
