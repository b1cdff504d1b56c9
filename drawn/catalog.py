"""Which scene a data set shows at an index: portraits that pass the paper's rule, and others that fail it.

A scene depends on (seed, set, index) alone. The others start at index OTHERS, so that they do not depend on the number
of portraits.
"""

from dataclasses import replace
from typing import Literal

import numpy as np

from drawn.canvas import pick
from drawn.painter import Picture, paint
from drawn.scene import Look, Person, Scene, draw_look, draw_pose, draw_setting

SetName = Literal["pfcn", "coco", "voc"]
SET_NUMBERS: dict[SetName, int] = {"pfcn": 1, "coco": 2, "voc": 3}
OTHERS = 100_000
OTHER_KINDS = ("several", "small", "nobody", "back", "poster", "crowd")
SIZES: dict[SetName, tuple[int, int]] = {"coco": (640, 480), "voc": (500, 375)}  # long side, short side of a photo


def scene_of(set_name: SetName, index: int, seed: int) -> Scene:
    """Return the scene at an index of a set.

    Args:
        set_name: "pfcn", "coco" or "voc".
        index: 0 and above for portraits, OTHERS and above for photos that fail the rule.
        seed: of the whole drawn data.
    """
    rng = np.random.default_rng([seed, SET_NUMBERS[set_name], index])
    if set_name == "pfcn":
        return _pfcn_portrait(rng)
    long, short = SIZES[set_name]
    width, height = (long, short) if rng.random() < 0.45 else (short, long)
    if index < OTHERS:
        return _portrait(rng, width, height)
    kinds = OTHER_KINDS if set_name == "coco" else OTHER_KINDS[:-1]  # VOC has no crowd regions
    return MAKERS[kinds[(index - OTHERS) % len(kinds)]](rng, width, height)


def picture_of(set_name: SetName, index: int, seed: int) -> Picture:
    """Paint the scene at an index of a set."""
    return paint(scene_of(set_name, index, seed))


def _pfcn_portrait(rng: np.random.Generator) -> Scene:
    """A PFCN portrait of 600x800 pixels; position and scale vary as the 49 points of the real set do."""
    unit = float(np.clip(np.exp(rng.normal(np.log(140), 0.13)), 92, 196))
    x = float(np.clip(rng.normal(301, 31), 1.25 * unit, 600 - 1.25 * unit))
    # The mean of the 49 points lies .36 below the eyes.
    y = float(np.clip(rng.normal(349, 35), 230, 500)) - 0.36 * unit
    y = float(np.clip(y, 1.0 * unit, 800 - 2.1 * unit))
    return draw_setting(rng, "portrait", 600, 800, [Person(draw_look(rng), draw_pose(rng, x, y, unit))])


def _portrait(rng: np.random.Generator, width: int, height: int) -> Scene:
    # MTCNN's box covers 5.3 to 8 square head units, so the face takes 11 to 25 % of the photo: safely over the 10 %.
    unit = float(np.sqrt(rng.uniform(0.024, 0.033) * width * height))
    x = float(np.clip(rng.normal(0.5, 0.1) * width, 1.35 * unit, width - 1.35 * unit))
    y = float(np.clip(rng.normal(0.4, 0.05) * height, 1.35 * unit, height - 2.0 * unit))
    return draw_setting(rng, "portrait", width, height, [Person(draw_look(rng), draw_pose(rng, x, y, unit))])


def _several(rng: np.random.Generator, width: int, height: int) -> Scene:
    count = 3 if width > height and rng.random() < 0.5 else 2
    unit = width / (count * rng.uniform(4.6, 5.4))
    people = []
    for k in range(count):
        x = width * (k + 0.5) / count + float(rng.normal(0, 0.15)) * unit
        y = height * float(rng.uniform(0.34, 0.5))
        people.append(Person(draw_look(rng), draw_pose(rng, x, y, unit * float(rng.uniform(0.9, 1.1)))))
    return replace(draw_setting(rng, "several", width, height, people), bystanders=0)


def _small(rng: np.random.Generator, width: int, height: int) -> Scene:
    unit = height * float(rng.uniform(0.026, 0.036))
    pose = draw_pose(
        rng, width * float(rng.uniform(0.25, 0.75)), height * float(rng.uniform(0.28, 0.34)), unit, turned=0.5
    )
    scene = draw_setting(rng, "small", width, height, [Person(draw_look(rng), pose, standing=True)])
    return replace(scene, bystanders=0, backdrop=str(pick(rng, ("street", "sea", "foliage", "room"))))


def _nobody(rng: np.random.Generator, width: int, height: int) -> Scene:
    scene = draw_setting(rng, "nobody", width, height, [])
    if rng.random() < 0.35:
        things = ["dog"]
    else:
        names = ("potted plant", "cup", "bottle", "chair")
        things = [str(pick(rng, names)) for _ in range(int(rng.integers(0, 4)))]
    backdrop = str(pick(rng, ("room", "window", "street", "sea", "foliage", "gradient")))
    return replace(scene, bystanders=0, things=things, backdrop=backdrop)


def _unadorned(look: Look) -> Look:
    return replace(look, hat="none", glasses="none", earrings="none", beard="none")


def _back(rng: np.random.Generator, width: int, height: int) -> Scene:
    scene = _portrait(rng, width, height)
    person = scene.people[0]
    return replace(scene, kind="back", bystanders=0, people=[replace(person, look=_unadorned(person.look), back=True)])


def _poster(rng: np.random.Generator, width: int, height: int) -> Scene:
    """A poster with a face that is large enough for the rule; in half of the pictures somebody's back beside it."""
    unit = float(np.sqrt(rng.uniform(0.021, 0.026) * width * height))
    w, h = int(min(3.6 * unit, 0.92 * width)), int(min(4.9 * unit, 0.9 * height))
    left = rng.random() < 0.5
    margin = int(rng.uniform(0.04, 0.08) * width)
    x0 = margin if left else width - margin - w
    y0 = int(rng.uniform(0.04, 0.09) * height)
    face = Person(_unadorned(draw_look(rng)), draw_pose(rng, w / 2, 0.4 * h, unit, turned=0.4))
    people = []
    if rng.random() < 0.5:
        x = width * (0.84 if left else 0.16)
        pose = draw_pose(rng, x, height * float(rng.uniform(0.55, 0.66)), unit * 0.72)
        people = [Person(_unadorned(draw_look(rng)), pose, back=True)]
    scene = draw_setting(rng, "poster", width, height, people)
    backdrop = str(pick(rng, ("gradient", "bricks", "room", "street")))
    return replace(scene, bystanders=0, poster=face, poster_box=(x0, y0, x0 + w, y0 + h), backdrop=backdrop)


def _crowd(rng: np.random.Generator, width: int, height: int) -> Scene:
    backdrop = str(pick(rng, ("street", "sea", "foliage")))
    return replace(_portrait(rng, width, height), kind="crowd", bystanders=0, crowd=True, backdrop=backdrop)


MAKERS = {"several": _several, "small": _small, "nobody": _nobody, "back": _back, "poster": _poster, "crowd": _crowd}
