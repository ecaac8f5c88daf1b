"""Collects primitives of a figure and keeps their anchor points."""

import numpy as np

from .sdf import ROW, bounds

# Material rows shared by every figure; colours are filled from the identity.
MAIN, SECOND, EYE, GLINT, DARK, ACCESSORY, ACCENT, BLUSH, WHITE, GLASS = range(10)


def rotation(yaw=0.0, pitch=0.0, roll=0.0) -> np.ndarray:
    """Local -> figure rotation, degrees, applied roll, then pitch, then yaw; [3, 3]."""
    y, p, r = np.radians([yaw, pitch, roll])
    ry = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    rx = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    rz = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return ry @ rx @ rz


class Builder:
    """Rows of primitives plus where a scarf or a hat belongs."""

    def __init__(self):
        self.rows = []
        self.neck = (np.array([0.0, 0.46, 0.0]), 0.17, 0.05)  # centre, ring radius, tube radius
        self.crown = (np.array([0.0, 0.88, 0.0]), 0.15)  # point, hat radius

    def _add(self, kind, material, k, centre, params, extra=(0.0, 0.0), rot=None):
        row = np.zeros(ROW)
        row[0], row[1], row[2] = kind, material, k
        row[3:6], row[6:9], row[9:11] = centre, params, extra
        row[11:20] = (np.eye(3) if rot is None else rot.T).ravel()
        bounds(row)
        self.rows.append(row)

    def ball(self, material, centre, radii, k=0.0, rot=None):
        radii = (radii,) * 3 if np.isscalar(radii) else radii
        self._add(0, material, k, centre, radii, rot=rot)

    def limb(self, material, a, b, ra, rb, k=0.0):
        self._add(1, material, k, a, b, (ra, rb))

    def ring(self, material, centre, ring, tube, k=0.0, rot=None):
        self._add(2, material, k, centre, (ring, tube, 0.0), rot=rot)

    def box(self, material, centre, half, corner, k=0.0, rot=None):
        self._add(3, material, k, centre, half, (corner, 0.0), rot)

    def drum(self, material, centre, radius, half_height, corner, k=0.0, rot=None):
        self._add(4, material, k, centre, (radius, half_height, 0.0), (corner, 0.0), rot)

    def chain(self, material, points, radii, k=0.0):
        """Round cones through a list of points (tails, trunks, spouts)."""
        for i in range(len(points) - 1):
            self.limb(material, points[i], points[i + 1], radii[i], radii[i + 1], k)

    def mirrored(self, draw):
        """Call draw(side) for side = -1 and +1."""
        draw(-1)
        draw(1)

    def eyes(self, centre, spread, radius, depth):
        """Two glossy eyes with glints; `depth` is z of the face surface there."""
        for side in (-1, 1):
            x = centre[0] + side * spread
            self.ball(EYE, (x, centre[1], depth), (radius, radius * 1.12, radius * 0.7))
            self.ball(GLINT, (x + radius * 0.3, centre[1] + radius * 0.45, depth + radius * 0.62), radius * 0.3)

    def array(self) -> np.ndarray:
        """Primitive rows, float64 [N, 24]."""
        return np.stack(self.rows)
