"""Paint a scene: the photo, one exact mask a person, the 49 points of each face."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from drawn.accessories import paint_earrings, paint_glasses, paint_hat
from drawn.backdrop import paint_backdrop
from drawn.beard import paint_beard
from drawn.body import paint_body
from drawn.camera import photograph
from drawn.canvas import Canvas
from drawn.cuts import design
from drawn.face import paint_features
from drawn.figure import paint_crowd, paint_figure
from drawn.hair import paint_back, paint_front, paint_nape
from drawn.head import face_points, paint_ears, paint_freckles, paint_skin, project, skin_texture
from drawn.scene import Person, Scene
from drawn.things import THINGS


@dataclass
class Picture:
    """rgb uint8 (H, W, 3); points (49, 2) a face; masks bool (H, W) of what can be seen of each object.

    `crowd` is one mask of many people who cannot be told apart; None when there is no crowd.
    """

    rgb: np.ndarray
    people: list[np.ndarray]
    points: list[np.ndarray]
    things: list[tuple[str, np.ndarray]] = field(default_factory=list)
    crowd: np.ndarray | None = None


def paint(scene: Scene) -> Picture:
    """Paint a scene; the same scene gives the same bytes."""
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
        paint_poster(canvas, scene, rng)
    for thing in scene.things:
        THINGS[thing](canvas, rng)
        finish(thing)
    for person in scene.people:
        paint_person(canvas, person, scene.light, rng)
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


def paint_poster(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    """A framed poster with a face on it: paper, not a person."""
    x0, y0, x1, y1 = scene.poster_box
    sheet = Canvas(np.full((y1 - y0, x1 - x0, 3), scene.wall2, np.uint8))
    paint_person(sheet, scene.poster, scene.light, rng)
    frame = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    canvas.fill(frame + np.array([(-9, -9), (9, -9), (9, 9), (-9, 9)]), (246, 242, 232))
    canvas.fill(frame + np.array([(-3, -3), (3, -3), (3, 3), (-3, 3)]), (52, 46, 46))
    canvas.px[y0:y1, x0:x1, :3] = sheet.px[..., :3]
    canvas.take()


def paint_person(canvas: Canvas, person: Person, light: tuple[float, float], rng: np.random.Generator) -> None:
    """One person, from the hair behind the shoulders to the hat."""
    pose, look = person.pose, person.look
    cut = design(look, rng)
    paint_back(canvas, pose, look, cut, rng, behind=True)
    if person.standing:
        paint_figure(canvas, pose, look)
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
