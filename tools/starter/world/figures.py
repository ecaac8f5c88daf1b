"""The twelve toys: functions from an identity to primitives in figure space."""

import numpy as np

from .builder import (ACCENT, ACCESSORY, BLUSH, DARK, GLASS, MAIN, SECOND, WHITE, Builder, rotation)

ANIMALS = ("cat", "dog", "rabbit", "bear", "duck", "turtle", "elephant")
OBJECTS = ("mug", "teapot", "boot", "car", "backpack")
CLASSES = ANIMALS + OBJECTS


def _plush(b, ident, standing, head=(0.27, 0.235, 0.235), fat=1.0, feet=True):
    """Body, limbs and head shared by the seated plush animals; returns the head centre."""
    w, fat = ident["head"], fat * ident["fat"]
    hw, hh, hd = head[0] * w, head[1] * w, head[2] * w
    if standing:
        b.ball(MAIN, (0, 0.34, 0), (0.2 * fat, 0.22, 0.18 * fat))
        b.ball(SECOND, (0, 0.33, 0.05 + 0.04 * fat), (0.14 * fat, 0.155, 0.11 * fat))
        for s in (-1, 1):
            b.limb(MAIN, (s * 0.11 * fat, 0.24, 0), (s * 0.13 * fat, 0.07, 0.03), 0.09, 0.08, 0.04)
            b.ball(MAIN, (s * 0.135 * fat, 0.055, 0.08), (0.085, 0.055, 0.11), 0.03)
            b.limb(MAIN, (s * 0.17 * fat, 0.44, 0.02), (s * 0.26 * fat, 0.27, 0.07), 0.07, 0.065, 0.03)
    else:
        b.ball(MAIN, (0, 0.27, -0.02), (0.24 * fat, 0.27, 0.22 * fat))
        b.ball(SECOND, (0, 0.26, 0.05 + 0.04 * fat), (0.165 * fat, 0.19, 0.13 * fat))
        for s in (-1, 1):
            b.limb(MAIN, (s * 0.18 * fat, 0.42, 0.05), (s * 0.17 * fat, 0.2, 0.2), 0.072, 0.068, 0.03)
            if feet:
                b.ball(MAIN, (s * 0.2 * fat, 0.085, 0.22), (0.095, 0.085, 0.13), 0.02)
                b.ball(SECOND, (s * 0.2 * fat, 0.088, 0.325), (0.055, 0.05, 0.03))
    cy = 0.66
    b.ball(MAIN, (0, cy, 0.04), (hw, hh, hd), 0.03)
    b.eyes((0, cy + 0.035, 0), 0.115 * w, 0.057 * ident["eyes"], 0.04 + hd * 0.87)
    for s in (-1, 1):
        b.ball(BLUSH, (s * 0.18 * w, cy - 0.055, 0.04 + hd * 0.66), (0.04, 0.028, 0.03))
    b.neck = (np.array([0, cy - hh * 0.84, 0.03]), 0.165 * fat ** 0.5, 0.05)
    b.crown = (np.array([0, cy + hh * 0.93, 0.02]), 0.13)
    return np.array([0, cy, 0.04]), hw, hh, hd


def cat(b, ident, standing):
    c, hw, hh, hd = _plush(b, ident, standing)
    e = ident["ears"]
    for s in (-1, 1):
        b.limb(MAIN, (s * 0.155, c[1] + 0.12, 0.03), (s * 0.225, c[1] + 0.2 + 0.15 * e, 0.0), 0.1, 0.014, 0.02)
        b.limb(SECOND, (s * 0.16, c[1] + 0.16, 0.085), (s * 0.212, c[1] + 0.17 + 0.12 * e, 0.035), 0.055, 0.01)
        b.ball(WHITE, (s * 0.04, c[1] - 0.075, c[2] + hd * 0.93), (0.052, 0.04, 0.04), 0.01)
    b.ball(BLUSH, (0, c[1] - 0.04, c[2] + hd + 0.015), (0.026, 0.02, 0.02))
    tail = [(0.16, 0.1, -0.16), (0.33, 0.1, -0.1), (0.4, 0.25, -0.06), (0.36, 0.4, -0.06), (0.42, 0.5, -0.06)]
    b.chain(MAIN, tail, [0.06, 0.055, 0.05, 0.05, 0.04], 0.02)
    b.ball(SECOND, (0.425, 0.515, -0.06), 0.05)


def dog(b, ident, standing):
    c, hw, hh, hd = _plush(b, ident, standing)
    e = ident["ears"]
    for s in (-1, 1):
        b.ball(SECOND, (s * (hw + 0.005), c[1] - 0.02 - 0.03 * e, 0.03), (0.07, 0.13 + 0.06 * e, 0.1), 0.0,
               rotation(0, 0, s * 14))
    b.ball(WHITE, (0, c[1] - 0.075, c[2] + hd * 0.9), (0.115, 0.085, 0.12), 0.02)
    b.ball(DARK, (0, c[1] - 0.025, c[2] + hd + 0.1), (0.052, 0.04, 0.035))
    b.ball(ACCENT, (0.0, c[1] - 0.15, c[2] + hd + 0.03), (0.04, 0.05, 0.02))
    b.chain(MAIN, [(0.12, 0.14, -0.18), (0.27, 0.22, -0.22), (0.33, 0.36, -0.22)], [0.055, 0.05, 0.035], 0.02)


def rabbit(b, ident, standing):
    c, hw, hh, hd = _plush(b, ident, standing, head=(0.25, 0.225, 0.225), fat=0.95)
    e = ident["ears"]
    for s in (-1, 1):
        top = (s * 0.15, c[1] + 0.32 + 0.14 * e, -0.02)
        b.limb(MAIN, (s * 0.085, c[1] + 0.16, 0.0), top, 0.06, 0.068, 0.02)
        b.limb(SECOND, (s * 0.09, c[1] + 0.2, 0.045), (top[0], top[1] - 0.01, 0.035), 0.033, 0.042)
        b.ball(WHITE, (s * 0.045, c[1] - 0.08, c[2] + hd * 0.92), (0.055, 0.045, 0.04), 0.01)
    b.ball(BLUSH, (0, c[1] - 0.045, c[2] + hd + 0.012), (0.03, 0.022, 0.02))
    b.box(WHITE, (0, c[1] - 0.135, c[2] + hd * 0.88), (0.026, 0.035, 0.015), 0.01)
    b.ball(WHITE, (0.12, 0.24 if standing else 0.14, -0.18), 0.1)


def bear(b, ident, standing):
    c, hw, hh, hd = _plush(b, ident, standing, head=(0.27, 0.24, 0.235), fat=1.12)
    e = ident["ears"]
    for s in (-1, 1):
        r = 0.075 + 0.025 * e
        b.ball(MAIN, (s * 0.2, c[1] + 0.19, 0.02), (r, r, 0.06), 0.02)
        b.ball(SECOND, (s * 0.2, c[1] + 0.185, 0.06), (r * 0.62, r * 0.62, 0.035))
    b.ball(SECOND, (0, c[1] - 0.075, c[2] + hd * 0.85), (0.12, 0.095, 0.085), 0.01)
    b.ball(DARK, (0, c[1] - 0.03, c[2] + hd + 0.05), (0.05, 0.036, 0.03))


def duck(b, ident, standing):
    fat, w, lift = ident["fat"], ident["head"], 0.08 if standing else 0.0
    b.ball(MAIN, (0, 0.27 + lift, -0.03), (0.27 * fat, 0.24, 0.3 * fat))
    b.limb(MAIN, (0, 0.3 + lift, -0.24), (0, 0.47 + lift, -0.42), 0.12, 0.03, 0.06)
    b.ball(SECOND, (0, 0.24 + lift, 0.08), (0.2 * fat, 0.19, 0.22 * fat))
    for s in (-1, 1):
        b.ball(MAIN, (s * 0.26 * fat, 0.3 + lift, -0.05), (0.06, 0.13, 0.21), 0.0, rotation(0, -18, s * 8))
        b.ball(ACCENT, (s * 0.13, 0.035, 0.16), (0.1, 0.035, 0.14))
        if standing:
            b.limb(ACCENT, (s * 0.12, 0.16, 0.06), (s * 0.13, 0.05, 0.08), 0.035, 0.035)
    y = 0.66 + lift * 0.7
    r = 0.22 * w
    b.limb(MAIN, (0, 0.4 + lift, 0.08), (0, y - 0.05, 0.1), 0.13, 0.13, 0.05)
    b.ball(MAIN, (0, y, 0.1), (r, r, r), 0.03)
    b.eyes((0, y + 0.05, 0), 0.11 * w, 0.052 * ident["eyes"], 0.1 + r * 0.85)
    b.ball(ACCENT, (0, y - 0.04, 0.1 + r + 0.04), (0.12, 0.035, 0.13))
    b.ball(ACCENT, (0, y - 0.075, 0.1 + r + 0.02), (0.09, 0.025, 0.09))
    b.limb(MAIN, (0, y + r, 0.1), (0.03, y + r + 0.09, 0.04), 0.04, 0.015, 0.02)
    b.neck = (np.array([0, y - r * 0.9, 0.1]), 0.15, 0.048)
    b.crown = (np.array([0, y + r * 0.93, 0.09]), 0.12)


def turtle(b, ident, standing):
    fat, w, lift = ident["fat"], ident["head"], 0.05 if standing else 0.0
    b.ball(MAIN, (0, 0.3 + lift, -0.1), (0.4 * fat, 0.37, 0.4 * fat))
    b.ring(ACCENT, (0, 0.2 + lift, -0.1), 0.375 * fat, 0.06, 0.02, rotation(0, 6, 0))
    for s in (-1, 1):
        for z in (0.17, -0.3):
            b.limb(SECOND, (s * 0.22, 0.18 + lift, z), (s * 0.27, 0.07, z + 0.07), 0.1, 0.08)
    y = 0.53 + lift
    b.limb(SECOND, (0, 0.28 + lift, 0.16), (0, y - 0.06, 0.34), 0.1, 0.11, 0.03)
    r = 0.185 * w
    b.ball(SECOND, (0, y, 0.36), (r * 1.05, r * 0.95, r), 0.02)
    b.eyes((0, y + 0.045, 0), 0.095 * w, 0.05 * ident["eyes"], 0.36 + r * 0.84)
    for s in (-1, 1):
        b.ball(BLUSH, (s * 0.13 * w, y - 0.03, 0.36 + r * 0.7), (0.03, 0.022, 0.03))
    b.ball(DARK, (0, y - 0.055, 0.36 + r * 0.96), (0.045, 0.01, 0.012))
    b.neck = (np.array([0, y - r * 1.0, 0.3]), 0.13, 0.045)
    b.crown = (np.array([0, y + r * 0.92, 0.35]), 0.11)


def elephant(b, ident, standing):
    c, hw, hh, hd = _plush(b, ident, standing, head=(0.25, 0.24, 0.23), fat=1.1)
    e = ident["ears"]
    for s in (-1, 1):
        r = 0.17 + 0.05 * e
        b.ball(MAIN, (s * (hw + 0.1), c[1] + 0.02, -0.02), (r, r * 1.08, 0.05), 0.02, rotation(-s * 22))
        b.ball(SECOND, (s * (hw + 0.11), c[1] + 0.015, 0.025), (r * 0.74, r * 0.82, 0.03), 0.0, rotation(-s * 22))
        b.limb(WHITE, (s * 0.1, c[1] - 0.11, c[2] + hd * 0.8), (s * 0.13, c[1] - 0.17, c[2] + hd + 0.1), 0.03, 0.012)
    trunk = [(0, c[1] - 0.04, c[2] + hd * 0.85), (0, c[1] - 0.13, c[2] + hd + 0.1), (0, c[1] - 0.25, c[2] + hd + 0.13),
             (0.03, c[1] - 0.33, c[2] + hd + 0.2), (0.06, c[1] - 0.3, c[2] + hd + 0.29)]
    b.chain(MAIN, trunk, [0.09, 0.075, 0.062, 0.055, 0.05], 0.03)


def _face(b, y, z, spread, ident, size=0.055):
    """A small face for things: eyes, cheeks and a smile."""
    b.eyes((0, y, 0), spread, size * ident["eyes"], z)
    for s in (-1, 1):
        b.ball(BLUSH, (s * (spread + 0.085), y - 0.06, z - 0.02), (0.038, 0.026, 0.025))
    b.ball(DARK, (0, y - 0.06, z + 0.005), (0.04, 0.018, 0.016))


def mug(b, ident, standing):
    r, h = 0.33 * ident["fat"], 0.36 * ident["head"]
    b.drum(MAIN, (-0.05, h, 0), r, h, 0.06)
    b.ring(SECOND, (-0.05, 2 * h - 0.015, 0), r - 0.025, 0.04)
    b.ball(DARK, (-0.05, 2 * h - 0.02, 0), (r - 0.05, 0.03, r - 0.05))
    b.ring(MAIN, (r - 0.03, h, 0), 0.17 + 0.03 * ident["ears"], 0.055, 0.02, rotation(0, 90, 0))
    for i in range(2):
        b.ring(SECOND, (-0.05, 0.06, 0), r - 0.03, 0.05, 0.0)
    bx = b.rows
    n = len(bx)
    _face(b, h + 0.04, r - 0.005, 0.12, ident, 0.06)
    _shift(b, n, -0.05)
    b.neck = (np.array([-0.05, h * 0.5, 0]), r - 0.01, 0.05)
    b.crown = (np.array([-0.05, 2 * h + 0.01, 0]), 0.16)


def _shift(b, first, dx):
    for row in b.rows[first:]:
        row[3] += dx
        row[21] += dx


def teapot(b, ident, standing):
    f, h = ident["fat"], ident["head"]
    b.ball(MAIN, (0, 0.34 * h, 0), (0.36 * f, 0.33 * h, 0.34 * f))
    b.drum(SECOND, (0, 0.045, 0), 0.22 * f, 0.045, 0.03)
    b.ball(SECOND, (0, 0.63 * h, 0), (0.2, 0.07, 0.2))
    b.ball(ACCENT, (0, 0.73 * h, 0), 0.058)
    sx = 0.36 * f
    b.chain(MAIN, [(-sx + 0.06, 0.24 * h, 0), (-sx - 0.1, 0.36 * h, 0), (-sx - 0.19, 0.56 * h, 0)],
            [0.1, 0.065, 0.045], 0.04)
    b.ball(DARK, (-sx - 0.2, 0.585 * h, 0.0), (0.04, 0.03, 0.035))
    b.ring(SECOND, (sx + 0.03, 0.36 * h, 0), 0.15 + 0.03 * ident["ears"], 0.045, 0.01, rotation(0, 90, 0))
    _face(b, 0.37 * h, 0.335 * f, 0.12, ident)
    b.neck = (np.array([0, 0.6 * h, 0]), 0.19, 0.042)
    b.crown = (np.array([0, 0.74 * h, 0]), 0.13)


def boot(b, ident, standing):
    f, h = ident["fat"], ident["head"]
    turn = rotation(-58)

    def at(x, y, z):
        return turn @ np.array([x, y, z])

    top = 0.78 * h
    b.limb(MAIN, at(0, 0.24, -0.14), at(0, top - 0.08, -0.16), 0.18 * f, 0.19 * f)
    b.ball(MAIN, at(0, 0.19, 0.16), (0.19 * f, 0.17, 0.27), 0.12, turn)
    b.ball(ACCENT, at(0, 0.05, 0.17), (0.2 * f, 0.075, 0.285), 0.0, turn)
    b.drum(ACCENT, at(0, 0.055, -0.15), 0.18 * f, 0.055, 0.03)
    b.drum(SECOND, at(0, top + 0.07, -0.16), 0.225 * f, 0.09, 0.05)
    b.ball(DARK, at(0, top + 0.155, -0.16), (0.17 * f, 0.02, 0.17 * f))
    b.ball(SECOND, at(0, 0.17, 0.27), (0.165 * f, 0.14, 0.18), 0.02, turn)
    for i in range(3):
        y = 0.36 + 0.11 * i
        b.limb(WHITE, at(-0.085, y, 0.035 - 0.02 * i), at(0.085, y, 0.035 - 0.02 * i), 0.022, 0.022)
    z = 0.18 * f * 0.94
    e = 0.052 * ident["eyes"]
    for s in (-1, 1):
        p = at(0.0, 0.62 * h, -0.155) + np.array([s * 0.085, 0, z])
        b.ball(2, p, (e, e * 1.12, e * 0.7))
        b.ball(3, p + np.array([e * 0.3, e * 0.45, e * 0.62]), e * 0.3)
    b.neck = (at(0, 0.5 * h, -0.15), 0.185 * f, 0.05)
    b.crown = (at(0, top + 0.16, -0.16), 0.17)


def car(b, ident, standing):
    f, h = ident["fat"], ident["head"]
    turn = rotation(-38)

    def at(x, y, z):
        return turn @ np.array([x, y, z])

    b.box(MAIN, at(0, 0.25, 0), (0.25 * f, 0.15, 0.47), 0.13, 0.0, turn)
    b.box(MAIN, at(0, 0.45 * h, -0.05), (0.215 * f, 0.16, 0.26), 0.13, 0.05, turn)
    b.box(GLASS, at(0, 0.465 * h, -0.05), (0.228 * f, 0.075, 0.17), 0.05, 0.0, turn)
    b.box(GLASS, at(0, 0.465 * h, -0.05), (0.15 * f, 0.075, 0.274), 0.05, 0.0, turn)
    b.box(SECOND, at(0, 0.2, 0), (0.262 * f, 0.045, 0.485), 0.04, 0.0, turn)
    side = rotation(-38) @ rotation(0, 0, 90)
    for s in (-1, 1):
        for z in (0.28, -0.28):
            b.drum(DARK, at(s * 0.24 * f, 0.125, z), 0.125, 0.065, 0.04, 0.0, side)
            b.drum(WHITE, at(s * 0.29 * f, 0.125, z), 0.06, 0.022, 0.015, 0.0, side)
        p, e = at(s * 0.135 * f, 0.31, 0.445), 0.07 * ident["eyes"]
        b.ball(WHITE, p, (e, e, e * 0.7), 0.0, turn)
        b.ball(2, p + at(0, 0, e * 0.42), (e * 0.62, e * 0.66, e * 0.4), 0.0, turn)
        b.ball(3, p + at(e * 0.2, e * 0.3, e * 0.82), e * 0.2)
    b.neck = (at(0, 0.62 * h, -0.05), 0.14, 0.035)
    b.crown = (at(0, 0.61 * h, -0.05), 0.15)


def backpack(b, ident, standing):
    f, h = ident["fat"], ident["head"]
    b.box(MAIN, (0, 0.42 * h, -0.02), (0.31 * f, 0.42 * h, 0.19), 0.16)
    b.box(SECOND, (0, 0.2 * h, 0.16), (0.235 * f, 0.15 * h, 0.1), 0.07)
    b.limb(ACCENT, (-0.19 * f, 0.29 * h, 0.245), (0.19 * f, 0.29 * h, 0.245), 0.022, 0.022)
    for s in (-1, 1):
        b.ring(ACCENT, (s * 0.29 * f, 0.4 * h, -0.08), 0.21, 0.045, 0.0, rotation(90 + s * 12, 90, 0))
        b.box(SECOND, (s * 0.33 * f, 0.2 * h, 0.0), (0.05, 0.13, 0.11), 0.04)
    b.ring(ACCENT, (0, 0.86 * h, -0.04), 0.085, 0.032, 0.0, rotation(0, 90, 0))
    b.limb(DARK, (-0.2 * f, 0.73 * h, 0.145), (0.2 * f, 0.73 * h, 0.145), 0.016, 0.016)
    _face(b, 0.54 * h, 0.175, 0.125, ident, 0.058)
    b.neck = (np.array([0, 0.76 * h, 0]), 0.2, 0.045)
    b.crown = (np.array([0, 0.86 * h, -0.02]), 0.17)


def _dress(b, accessory):
    """Scarf, hat or bow tie at the figure's anchors."""
    neck, ring, tube = b.neck
    if accessory == "scarf":
        b.ring(ACCESSORY, neck, ring, tube * 1.15, 0.0, rotation(0, 8, 0))
        end = neck + np.array([0.1, -0.17, ring + 0.06])
        b.limb(ACCESSORY, neck + np.array([0.08, -0.01, ring]), end, 0.055, 0.06, 0.02)
    elif accessory == "hat":
        top, r = b.crown
        b.drum(ACCESSORY, top, r * 1.45, 0.028, 0.025, 0.0, rotation(0, 0, -6))
        b.drum(ACCESSORY, top + np.array([0.01, 0.085, 0]), r * 0.92, 0.09, 0.04, 0.02, rotation(0, 0, -6))
    elif accessory == "bow tie":
        p = neck + np.array([0, -0.02, ring + tube * 0.7])
        for s in (-1, 1):
            b.ball(ACCESSORY, p + np.array([s * 0.075, 0, 0]), (0.075, 0.058, 0.035), 0.0, rotation(0, 0, s * 12))
        b.ball(ACCESSORY, p + np.array([0, 0, 0.02]), 0.034)


DRAW = {name: globals()[name] for name in CLASSES}
# Brings every toy to about the same apparent size.
FIT = {"turtle": 1.12, "car": 1.15, "mug": 1.05, "teapot": 1.05, "rabbit": 0.9, "duck": 1.05, "boot": 1.0}


def build(cls: str, ident: dict, stance: str) -> tuple[np.ndarray, float]:
    """Primitive rows [N, 24] of one toy and the factor that brings it to common size."""
    b = Builder()
    DRAW[cls](b, ident, stance == "standing")
    _dress(b, ident["accessory"])
    return b.array(), FIT.get(cls, 1.0)
