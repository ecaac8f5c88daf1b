"""Signed distances of figure primitives and sphere tracing (numba).

A figure is a float64 array [N, 24], one primitive per row, in figure space
(y up, z towards the viewer, unit height about 1):
  0 kind (0 ellipsoid, 1 round cone, 2 torus, 3 rounded box, 4 rounded cylinder)
  1 material row   2 blend width k   3:6 centre (round cone: end a)
  6:9 radii / half sizes / end b; torus: (ring, tube, -); cylinder: (radius, half height, -)
  9, 10 end radii of a round cone, or corner radius   11:20 rotation, figure -> local
  20 bounding radius   21:24 bounding centre
"""

import math

import numpy as np
from numba import njit

ROW = 24
MAX_ACTIVE = 64


@njit(cache=True, fastmath=True)
def primitive_distance(q, x, y, z):
    kind = int(q[0])
    px, py, pz = x - q[3], y - q[4], z - q[5]
    if kind == 1:
        bx, by, bz = q[6] - q[3], q[7] - q[4], q[8] - q[5]
        h = (px * bx + py * by + pz * bz) / (bx * bx + by * by + bz * bz + 1e-9)
        h = min(1.0, max(0.0, h))
        dx, dy, dz = px - h * bx, py - h * by, pz - h * bz
        return math.sqrt(dx * dx + dy * dy + dz * dz) - (q[9] + (q[10] - q[9]) * h)
    lx = q[11] * px + q[12] * py + q[13] * pz
    ly = q[14] * px + q[15] * py + q[16] * pz
    lz = q[17] * px + q[18] * py + q[19] * pz
    if kind == 0:
        ax, ay, az = lx / q[6], ly / q[7], lz / q[8]
        k0 = math.sqrt(ax * ax + ay * ay + az * az)
        ax, ay, az = ax / q[6], ay / q[7], az / q[8]
        k1 = math.sqrt(ax * ax + ay * ay + az * az)
        if k1 < 1e-6:
            return -min(q[6], min(q[7], q[8]))
        return k0 * (k0 - 1.0) / k1
    if kind == 2:
        r = math.sqrt(lx * lx + lz * lz) - q[6]
        return math.sqrt(r * r + ly * ly) - q[7]
    if kind == 3:
        rr = q[9]
        dx, dy, dz = abs(lx) - q[6] + rr, abs(ly) - q[7] + rr, abs(lz) - q[8] + rr
        ox, oy, oz = max(dx, 0.0), max(dy, 0.0), max(dz, 0.0)
        return math.sqrt(ox * ox + oy * oy + oz * oz) + min(max(dx, max(dy, dz)), 0.0) - rr
    rr = q[9]
    dx = math.sqrt(lx * lx + lz * lz) - q[6] + rr
    dy = abs(ly) - q[7] + rr
    ox, oy = max(dx, 0.0), max(dy, 0.0)
    return math.sqrt(ox * ox + oy * oy) + min(max(dx, dy), 0.0) - rr


@njit(cache=True, fastmath=True)
def figure_distance(prims, active, count, x, y, z):
    """Blended distance and the row of the nearest primitive."""
    best, who, nearest = 1e9, -1, 1e9
    for i in range(count):
        q = prims[active[i]]
        d = primitive_distance(q, x, y, z)
        if d < nearest:
            nearest, who = d, active[i]
        k = q[2]
        if k > 0.0 and best < 1e8:
            h = max(k - abs(best - d), 0.0) / k
            best = min(best, d) - h * h * k * 0.25
        else:
            best = min(best, d)
    return best, who


@njit(cache=True, fastmath=True)
def select_ray(prims, active, ox, oy, oz, dx, dy, dz, slack):
    """Rows whose bounding sphere lies within `slack` of the ray; count, entry and exit distance."""
    count, near, far = 0, 1e9, 0.0
    for i in range(prims.shape[0]):
        q = prims[i]
        cx, cy, cz = q[21] - ox, q[22] - oy, q[23] - oz
        tc = cx * dx + cy * dy + cz * dz
        d2 = cx * cx + cy * cy + cz * cz - tc * tc
        r = q[20] + slack
        if d2 < r * r and tc + r > 0.0:
            active[count] = i
            count += 1
            half = math.sqrt(r * r - d2)
            near, far = min(near, tc - half), max(far, tc + half)
    return count, max(near, 0.0), far


@njit(cache=True, fastmath=True)
def trace(prims, active, ox, oy, oz, dx, dy, dz):
    """Sphere-trace a unit ray in figure space: (distance or -1, row hit, active count)."""
    count, t, far = select_ray(prims, active, ox, oy, oz, dx, dy, dz, 0.03)
    if count == 0:
        return -1.0, -1, 0
    for _ in range(48):
        d, who = figure_distance(prims, active, count, ox + t * dx, oy + t * dy, oz + t * dz)
        if d < 0.0015:
            return t, who, count
        t += d * 0.92
        if t > far:
            break
    return -1.0, -1, count


@njit(cache=True, fastmath=True)
def normal_at(prims, active, count, x, y, z):
    """Outward unit normal by central tetrahedron differences."""
    e = 0.003
    a, _ = figure_distance(prims, active, count, x + e, y - e, z - e)
    b, _ = figure_distance(prims, active, count, x - e, y - e, z + e)
    c, _ = figure_distance(prims, active, count, x - e, y + e, z - e)
    d, _ = figure_distance(prims, active, count, x + e, y + e, z + e)
    nx, ny, nz = a - b - c + d, -a - b + c + d, -a + b - c + d
    n = 1.0 / math.sqrt(nx * nx + ny * ny + nz * nz + 1e-12)
    return nx * n, ny * n, nz * n


@njit(cache=True, fastmath=True)
def soft_shadow(prims, active, ox, oy, oz, dx, dy, dz, sharpness):
    """Fraction of light that reaches a point along a unit direction, in [0, 1]."""
    count, t, far = select_ray(prims, active, ox, oy, oz, dx, dy, dz, 0.42)
    if count == 0:
        return 1.0
    light, t = 1.0, max(t, 0.03)
    for _ in range(22):
        d, _w = figure_distance(prims, active, count, ox + t * dx, oy + t * dy, oz + t * dz)
        light = min(light, 0.5 + 0.5 * sharpness * d / t)
        if light <= 0.0:
            return 0.0
        t += min(0.12, max(0.03, abs(d)))
        if t > far:
            break
    light = max(light, 0.0)
    return light * light * (3 - 2 * light)


def bounds(row: np.ndarray) -> None:
    """Fill the bounding sphere of one primitive row in place."""
    kind = int(row[0])
    row[21:24] = row[3:6]
    if kind == 0:
        row[20] = row[6:9].max()
    elif kind == 1:
        a, b = row[3:6], row[6:9]
        row[21:24] = (a + b) / 2
        row[20] = np.linalg.norm(a - b) / 2 + max(row[9], row[10])
    elif kind == 2:
        row[20] = row[6] + row[7]
    elif kind == 3:
        row[20] = np.linalg.norm(row[6:9])
    else:
        row[20] = math.hypot(row[6], row[7])
    row[20] += row[2] * 0.3
