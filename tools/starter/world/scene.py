"""Scenes as plain JSON: what is in them, how they are sampled, which are held out."""

import hashlib

import numpy as np

from .figures import ANIMALS, CLASSES

PLACES = {
    "wooden table": "on a wooden table", "grass": "on the grass", "beach": "on a beach", "snow": "in the snow",
    "brick wall": "in front of a brick wall", "bookshelf": "in front of a bookshelf",
    "mirror": "next to a mirror", "night street": "on a street at night",
    "checkered floor": "on a checkered floor", "desert": "in the desert", "red sofa": "on a red sofa",
    "flower garden": "in a flower garden",
}
COLOURS = {  # sRGB, 0-255
    "red": (206, 62, 58), "orange": (236, 140, 52), "yellow": (246, 208, 84), "green": (104, 168, 88),
    "blue": (78, 132, 208), "purple": (144, 98, 184), "pink": (242, 152, 178), "brown": (142, 94, 62),
    "white": (244, 238, 228), "grey": (148, 150, 158), "black": (56, 54, 62),
}
PATTERNS = ("plain", "striped", "spotted", "patched")
ACCESSORIES = ("none", "scarf", "hat", "bow tie")
# Second colours that sit well with each first colour.
COMPANIONS = {
    "red": ("white", "yellow", "pink", "black"), "orange": ("white", "brown", "yellow"),
    "yellow": ("white", "orange", "brown"), "green": ("white", "yellow", "brown"),
    "blue": ("white", "yellow", "grey"), "purple": ("pink", "white", "yellow"),
    "pink": ("white", "purple", "red"), "brown": ("white", "orange", "yellow"),
    "white": ("grey", "black", "brown", "blue"), "grey": ("white", "pink", "black"),
    "black": ("white", "grey", "orange"),
}


def rng_for(*parts) -> np.random.Generator:
    """Generator seeded by the SHA-256 of its arguments: the same on every machine."""
    digest = hashlib.sha256(":".join(map(str, parts)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def reserved(identity_id: int) -> bool:
    """True for the one identity in ten that never occurs in training."""
    return hashlib.sha256(f"reserve:{identity_id}".encode()).digest()[0] < 26


def identity(identity_id: int) -> dict:
    """The look of one figure; independent of its class, so a word swap keeps it."""
    rng = rng_for("identity", identity_id)
    colour = list(COLOURS)[rng.integers(len(COLOURS))]
    mates = COMPANIONS[colour]
    return {
        "id": int(identity_id),
        "colour": colour, "second": mates[rng.integers(len(mates))],
        "tint": [round(float(v), 4) for v in rng.normal(0, 0.025, 3)],
        "pattern": PATTERNS[rng.choice(4, p=[0.37, 0.21, 0.21, 0.21])],
        "accessory": ACCESSORIES[rng.choice(4, p=[0.46, 0.18, 0.18, 0.18])],
        "accessoryColour": list(COLOURS)[rng.integers(9)],
        "head": round(float(rng.uniform(0.93, 1.07)), 4), "fat": round(float(rng.uniform(0.88, 1.1)), 4),
        "ears": round(float(rng.uniform(0.4, 1.0)), 4), "eyes": round(float(rng.uniform(0.92, 1.15)), 4),
        "patternSeed": int(rng.integers(1 << 20)),
    }


def pick_identity(rng: np.random.Generator, held_out: bool, count: int) -> int:
    """An identity number below `count` from the training or the held-out part."""
    while True:
        number = int(rng.integers(count))
        if reserved(number) == held_out:
            return number


def sample(seed: int, held_out: bool = False, cls=None, place=None, identity_id=None, identities=6000) -> dict:
    """Draw a scene. Pose and light do not depend on the class, so classes can be swapped in place."""
    rng = rng_for("scene", "held-out" if held_out else "train", seed)
    classes, places = list(CLASSES), list(PLACES)
    drawn_class, drawn_place = classes[rng.integers(len(classes))], places[rng.integers(len(places))]
    drawn_identity = pick_identity(rng, held_out, identities)
    place = place or drawn_place
    side = 1 if rng.random() < 0.5 else -1
    x = float(rng.uniform(-0.2, 0.2))
    if place == "mirror":
        x = -side * float(rng.uniform(0.2, 0.3))
    return {
        "version": 1, "seed": int(seed),
        "place": {"name": place, "side": side, "variation": [round(float(v), 4) for v in rng.random(8)],
                  "seed": int(rng.integers(1 << 16))},
        "camera": {"pitch": round(float(rng.uniform(9, 22)), 3), "distance": round(float(rng.uniform(3.2, 3.6)), 3),
                   "lookY": round(float(rng.uniform(0.44, 0.54)), 4)},
        "light": {"azimuth": round(float(rng.uniform(-70, 70)), 2), "elevation": round(float(rng.uniform(35, 65)), 2),
                  "warmth": round(float(rng.uniform(-1, 1)), 3), "strength": round(float(rng.uniform(0.85, 1.1)), 3)},
        "figure": {
            "class": cls or drawn_class,
            "identity": identity(drawn_identity if identity_id is None else identity_id),
            "pose": {"yaw": round(float(np.clip(rng.normal(0, 22), -50, 50)), 2),
                     "lean": round(float(rng.uniform(-4, 4)), 2), "x": round(x, 4),
                     "z": round(float(rng.uniform(-0.15, 0.15)), 4), "scale": round(float(rng.uniform(0.98, 1.2)), 4),
                     "stance": "standing" if rng.random() < 0.4 else "sitting"},
        },
    }


def with_class(scene: dict, cls: str) -> dict:
    """The true edit of a word swap: another class, the same look, pose, place and light."""
    return {**scene, "figure": {**scene["figure"], "class": cls}}


def with_identity(scene: dict, identity_id: int) -> dict:
    """The true edit of a personalised swap: another look, everything else the same."""
    return {**scene, "figure": {**scene["figure"], "identity": identity(identity_id)}}


def with_pattern(scene: dict, pattern: str) -> dict:
    """The true edit of a pattern word: another pattern in the same colours, everything else the same."""
    figure = scene["figure"]
    return {**scene, "figure": {**figure, "identity": {**figure["identity"], "pattern": pattern}}}


def is_animal(cls: str) -> bool:
    return cls in ANIMALS
