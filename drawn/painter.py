"""Paint a scene: the photo, one exact mask per person, the 49 points of each face; then what a camera does to it."""

from dataclasses import dataclass, field
from statistics import NormalDist

import cv2
import numpy as np

from drawn.accessories import paint_earrings, paint_glasses, paint_hat
from drawn.backdrop import paint_backdrop
from drawn.body import paint_body, paint_limbs
from drawn.canvas import Canvas, soften
from drawn.hair import paint_back, paint_beard, paint_front, paint_nape
from drawn.haircuts import design
from drawn.head import face_points, paint_ears, paint_features, paint_freckles, paint_skin, project, skin_texture
from drawn.scene import Camera, Person, Scene
from drawn.things import THINGS, paint_crowd

LUMINANCE = (0.299, 0.587, 0.114)
NORMAL = np.array([NormalDist().inv_cdf((k + 0.5) / 256) for k in range(256)])


@dataclass
class Picture:
    """A painted scene.

    Attributes:
        rgb: uint8 (H, W, 3).
        people: one mask per person, bool (H, W): the visible part.
        points: the 49 points per face, pixels (49, 2).
        things: (name, mask) per object.
        crowd: one mask of people who are too many to tell apart, or None.
    """

    rgb: np.ndarray
    people: list[np.ndarray]
    points: list[np.ndarray]
    things: list[tuple[str, np.ndarray]] = field(default_factory=list)
    crowd: np.ndarray | None = None


def paint(scene: Scene) -> Picture:
    """Paint a scene. The same scene gives the same bytes."""
    rng = np.random.default_rng(scene.seed)
    canvas = Canvas(paint_backdrop(scene, rng))
    names: list[str] = []
    covers: list[np.ndarray] = []
    points: list[np.ndarray] = []

    def finish(name: str) -> None:
        cover = canvas.take()
        for earlier in covers:
            np.minimum(earlier, 255 - cover, out=earlier)
        names.append(name)
        covers.append(cover)

    if scene.crowd:
        paint_crowd(canvas, rng)
        finish("crowd")
    if scene.poster is not None:
        _paint_poster(canvas, scene, scene.poster, rng)
    for thing in scene.things:
        THINGS[thing](canvas, rng)
        finish(thing)
    for person in scene.people:
        _paint_person(canvas, person, scene.light, rng)
        finish("person")
        if not person.back:
            points.append(project(person.pose, face_points(person.look)))
    rgb = photograph(cv2.cvtColor(canvas.px, cv2.COLOR_RGBA2RGB), scene.camera, rng)
    masks = [cover >= 128 for cover in covers]
    seen = [(name, mask) for name, mask in zip(names, masks, strict=True) if mask.any()]
    return Picture(
        rgb=rgb,
        people=[mask for name, mask in seen if name == "person"],
        points=points,
        things=[(name, mask) for name, mask in seen if name not in ("person", "crowd")],
        crowd=next((mask for name, mask in seen if name == "crowd"), None),
    )


def _paint_poster(canvas: Canvas, scene: Scene, face: Person, rng: np.random.Generator) -> None:
    """A framed poster with a face, which is in no person's mask."""
    x0, y0, x1, y1 = scene.poster_box
    sheet = Canvas(np.full((y1 - y0, x1 - x0, 3), scene.wall2, np.uint8))
    _paint_person(sheet, face, scene.light, rng)
    frame = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    canvas.fill(frame + np.array([(-9, -9), (9, -9), (9, 9), (-9, 9)]), (246, 242, 232))
    canvas.fill(frame + np.array([(-3, -3), (3, -3), (3, 3), (-3, 3)]), (52, 46, 46))
    canvas.px[y0:y1, x0:x1, :3] = sheet.px[..., :3]
    canvas.take()


def _paint_person(canvas: Canvas, person: Person, light: tuple[float, float], rng: np.random.Generator) -> None:
    """One person, from back to front: hair behind the shoulders first, the hat last."""
    pose, look = person.pose, person.look
    cut = design(look, rng)
    paint_back(canvas, pose, look, cut, rng, behind=True)
    if person.standing:
        paint_limbs(canvas, pose, look)
    paint_body(canvas, pose, look, light, rng, back=person.back, standing=person.standing)
    paint_back(canvas, pose, look, cut, rng, behind=False)
    paint_ears(canvas, pose, look)
    if person.back:
        paint_nape(canvas, pose, look, rng)
        return
    paint_skin(canvas, pose, look, skin_texture(pose, look, light))
    if look.freckles:
        paint_freckles(canvas, pose, look, rng)
    paint_features(canvas, pose, look, rng)
    paint_beard(canvas, pose, look, rng)
    paint_glasses(canvas, pose, look)
    paint_earrings(canvas, pose, look)
    paint_front(canvas, pose, look, cut, light, rng)
    paint_hat(canvas, pose, look, rng)


def photograph(rgb: np.ndarray, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Apply blur, exposure, colour, vignette and grain to uint8 RGB (H, W, 3)."""
    height, width = rgb.shape[:2]
    out = soften(rgb, camera.blur)
    if camera.saturation != 1:
        grey = np.tile(np.array(LUMINANCE, np.float32), (3, 1))
        out = cv2.transform(out, np.eye(3, dtype=np.float32) * camera.saturation + grey * (1 - camera.saturation))
    level = np.arange(256) / 255
    level = np.clip(0.5 + (level - 0.5) * camera.contrast, 0, 1) ** (2 ** (-camera.exposure))
    warm = camera.warmth if camera.saturation else 0.0
    table = np.stack([level * (1 + warm), level, level * (1 - warm)], -1)
    out = cv2.LUT(out, np.clip(table * 255, 0, 255).astype(np.uint8)[None])
    y, x = np.linspace(-1, 1, 24)[:, None], np.linspace(-1, 1, 18)[None]
    falloff = (128 * (1 - 0.5 * camera.vignette * np.clip(x**2 + y**2 - 0.5, 0, 2))).astype(np.uint8)
    falloff = cv2.resize(falloff, (width, height), interpolation=cv2.INTER_CUBIC)
    out = cv2.multiply(out, cv2.cvtColor(falloff, cv2.COLOR_GRAY2RGB), scale=1 / 128)
    # One random byte per pixel, mapped to normal quantiles: several times faster than drawing normal numbers.
    table = np.rint(128 + camera.grain * NORMAL).astype(np.uint8)
    noise = cv2.LUT(np.frombuffer(rng.bytes(height * width), np.uint8).reshape(height, width), table)
    return cv2.addWeighted(out, 1, cv2.cvtColor(noise, cv2.COLOR_GRAY2RGB), 1, -128)
