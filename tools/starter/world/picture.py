"""One call from scene JSON to an 8-bit picture and the figure's mask."""

import math

import numpy as np

from . import figures, render
from .builder import ACCENT, ACCESSORY, BLUSH, DARK, EYE, GLASS, GLINT, MAIN, SECOND, WHITE
from .scene import COLOURS, PLACES

PATTERN_ID = {"plain": 0, "striped": 1, "spotted": 2, "patched": 3}
VIEW_HEIGHT = 1.62  # world units that the frame's height covers at the figure
SUPERSAMPLE = 2
# Key light, fill light (sRGB-like factors) by place; the scene's light adds warmth and strength.
KEY = {"night street": (0.95, 0.72, 0.42), "snow": (0.72, 0.70, 0.68), "desert": (0.86, 0.74, 0.56),
       "beach": (0.84, 0.80, 0.70), "red sofa": (0.80, 0.70, 0.60)}
FILL = {"night street": (0.26, 0.29, 0.42), "snow": (0.44, 0.47, 0.52), "beach": (0.42, 0.44, 0.48),
        "grass": (0.38, 0.43, 0.42), "flower garden": (0.38, 0.43, 0.42), "red sofa": (0.44, 0.40, 0.38)}
# Average colour of the floor, which lights figures from below.
BOUNCE = {"wooden table": (0.45, 0.3, 0.18), "grass": (0.25, 0.36, 0.14), "flower garden": (0.25, 0.36, 0.14),
          "beach": (0.5, 0.43, 0.32), "snow": (0.55, 0.58, 0.62), "desert": (0.5, 0.35, 0.22),
          "red sofa": (0.42, 0.1, 0.1), "night street": (0.12, 0.12, 0.16)}


def _colour(name, tint=(0.0, 0.0, 0.0)):
    return np.clip(np.array(COLOURS[name]) / 255.0 + tint, 0.03, 0.97) ** 1.15


def materials(figure: dict) -> np.ndarray:
    """RGB and gloss per material row, [10, 4]."""
    ident = figure["identity"]
    hard = figure["class"] in ("mug", "teapot", "car", "boot")
    gloss = 0.35 if hard else 0.0
    mats = np.zeros((10, 4))
    mats[MAIN, :3], mats[MAIN, 3] = _colour(ident["colour"], ident["tint"]), gloss
    mats[SECOND, :3], mats[SECOND, 3] = _colour(ident["second"], ident["tint"]), gloss
    mats[EYE] = 0.05, 0.045, 0.06, 0.5
    mats[GLINT] = 1.6, 1.6, 1.6, 0.0
    mats[DARK] = 0.11, 0.09, 0.09, 0.15
    mats[ACCESSORY, :3] = _colour(ident["accessoryColour"])
    mats[ACCENT] = (0.93, 0.55, 0.2, 0.1) if figure["class"] == "duck" else (0.55, 0.36, 0.22, 0.1)
    if figure["class"] == "dog":
        mats[ACCENT] = 0.9, 0.42, 0.45, 0.0
    mats[BLUSH] = 0.95, 0.55, 0.55, 0.0
    mats[WHITE] = 0.95, 0.93, 0.89, 0.0
    mats[GLASS] = 0.28, 0.42, 0.52, 0.6
    return mats


def _unit(v):
    v = np.asarray(v, float)
    return v / np.linalg.norm(v)


def _lights(scene):
    light, place = scene["light"], scene["place"]["name"]
    a, e = math.radians(light["azimuth"]), math.radians(light["elevation"])
    direction = _unit([math.sin(a) * math.cos(e), math.sin(e), math.cos(a) * math.cos(e)])
    warm = np.array([1 + 0.06 * light["warmth"], 1.0, 1 - 0.09 * light["warmth"]]) * light["strength"]
    key = np.array(KEY.get(place, (0.80, 0.76, 0.70))) * warm
    fill = np.array(FILL.get(place, (0.42, 0.42, 0.43)))
    return direction, key, fill


def layers(scene: dict, width: int, height: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Place [H,W,3], figure [H,W,4] and depth [H,W], before blur and compositing."""
    fig, pose, cam, place = scene["figure"], scene["figure"]["pose"], scene["camera"], scene["place"]
    prims, fit = figures.build(fig["class"], fig["identity"], pose["stance"])
    yaw = math.radians(pose["yaw"])
    s, c = math.sin(yaw), math.cos(yaw)
    frame = np.array([pose["x"], 0.0, pose["z"], s, c, pose["scale"] * fit, math.tan(math.radians(pose["lean"]))])
    d, key, fill = _lights(scene)
    local = np.array([c * d[0] - s * d[2], d[1], s * d[0] + c * d[2], *key])
    rim = np.array([1.0, 0.8, 0.5]) if place["name"] == "night street" else np.array([1.0, 1.0, 1.0])
    fill6 = np.concatenate([fill, rim])
    bounce = fill * 0.5 + 0.45 * np.array(BOUNCE.get(place["name"], (0.38, 0.34, 0.3)))
    side = place["side"]
    n = _unit([-0.46 * side, 0, 0.89])
    mirror = np.array([0.63 * side, 0.66, -0.72, n[0], n[2], 0.44, 0.62])
    view = np.array([math.radians(cam["pitch"]), cam["distance"], cam["lookY"], VIEW_HEIGHT])
    pattern = np.array([PATTERN_ID[fig["identity"]["pattern"]], fig["identity"]["patternSeed"]], float)
    back, front, depth = np.zeros((height, width, 3)), np.zeros((height, width, 4)), np.zeros((height, width))
    render.draw(prims, materials(fig), pattern, frame, view, d, local, fill6, bounce,
                list(PLACES).index(place["name"]), np.array(place["variation"]), place["seed"], mirror, SUPERSAMPLE,
                back, front, depth)
    return back, front, depth


def picture(scene: dict, width: int = 128, height: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Render a scene.

    :returns: sRGB uint8 [H, W, 3] and figure coverage float32 [H, W] in [0, 1]
    """
    height = height or width
    back, front, depth = layers(scene, width, height)
    unit = height / 128.0
    amount = np.clip((depth - scene["camera"]["distance"] - 0.55) / 2.6, 0, 1)[..., None]
    soft = render.blur(back, 0.9 * unit)
    softer = render.blur(back, 2.1 * unit)
    low = np.clip(amount * 2, 0, 1)
    back = back + (soft - back) * low
    back = back + (softer - back) * np.clip(amount * 2 - 1, 0, 1)
    alpha = front[..., 3:4]
    linear = back * (1 - alpha) + front[..., :3]
    toned = np.where(linear < 0.8, linear, 0.8 + 0.2 * np.tanh(np.maximum(linear - 0.8, 0) / 0.2 * 0.8))
    image = np.clip(toned, 0, 1) ** (1 / 1.15)
    return np.round(image * 255).astype(np.uint8), alpha[..., 0].astype(np.float32)
