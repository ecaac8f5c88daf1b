"""Scene JSON to pixels: figure, place, shadow, mirror, depth blur (numba inside, one call outside)."""

import math

import numpy as np
from numba import njit

from . import sdf
from .noise import noise3, smooth
from .places import MIRROR, NIGHT, surface



@njit(cache=True, fastmath=True)
def pattern_mix(kind, x, y, z, seed):
    """Share of the second colour at a point of the figure, in [0, 1]."""
    jx, jy, jz = (seed % 97) * 0.37, (seed % 89) * 0.41, (seed % 83) * 0.29
    if kind == 1:
        w = y + 0.05 * math.sin(x * 7 + jx) + 0.04 * math.sin(z * 6 + jz)
        return smooth(0.1, 0.45, math.sin(w * 38 + jy))
    if kind == 2:
        cell, best = 0.17, 9.0
        ux, uy, uz = x / cell + jx, y / cell + jy, z / cell + jz
        ix, iy, iz = math.floor(ux), math.floor(uy), math.floor(uz)
        shift = 0.5 * (int(iy) & 1)
        ax = ux + shift - math.floor(ux + shift) - 0.5
        ay, az = uy - iy - 0.5, uz - iz - 0.5
        best = math.sqrt(ax * ax + ay * ay + az * az * 0.25)
        return smooth(0.4, 0.3, best)
    if kind == 3:
        n = noise3(x * 4.2 + jx, y * 4.2 + jy, z * 4.2 + jz, seed & 255)
        return smooth(0.53, 0.6, n)
    return 0.0


@njit(cache=True, fastmath=True)
def figure_light(prims, active, count, m, mats, x, y, z, vx, vy, vz, light, fillc, bounce, memo):
    """Write the light at a figure point to memo[1:7]: factors of the albedo and what is added to it.

    `v` is the unit direction to the viewer (figure space).
    """
    nx, ny, nz = sdf.normal_at(prims, active, count, x, y, z)
    nl = nx * light[0] + ny * light[1] + nz * light[2]
    own, e = 1.0, 0.05
    d1, _w = sdf.figure_distance(prims, active, count, x + nx * e, y + ny * e, z + nz * e)
    occ = 0.55 + 0.45 * min(1.0, max(0.0, d1 / e))
    occ *= 0.62 + 0.38 * smooth(-0.05, 0.3, y)
    if nl > -0.2:
        buf = np.empty(sdf.MAX_ACTIVE, np.int64)
        own = 0.45 + 0.55 * sdf.soft_shadow(prims, buf, x + nx * 0.03, y + ny * 0.03, z + nz * 0.03,
                                            light[0], light[1], light[2], 6.0)
    wrap = max(0.0, (nl + 0.35) / 1.35)
    up = 0.5 + 0.5 * ny
    face = max(0.0, nx * vx + ny * vy + nz * vz)
    rim = (1 - face) ** 3 * (0.35 + 0.65 * up)
    spec, gloss = 0.0, mats[m, 3]
    if gloss > 0:
        hx, hy, hz = vx + light[0], vy + light[1], vz + light[2]
        hn = 1.0 / math.sqrt(hx * hx + hy * hy + hz * hz)
        spec = gloss * max(0.0, (nx * hx + ny * hy + nz * hz) * hn) ** 40
    for c in range(3):
        memo[1 + c] = wrap * own * light[3 + c] + occ * (fillc[c] * up + bounce[c] * (1 - up))
        memo[4 + c] = rim * 0.3 * fillc[3 + c] + spec


@njit(cache=True, fastmath=True)
def floor_light(prims, active, x, z, fig, light):
    """Light on the floor: (key share, ambient share), from the figure's soft shadow."""
    s, c, inv = fig[3], fig[4], 1.0 / fig[5]
    px, pz = x - fig[0], z - fig[2]
    if px * px + pz * pz > 4.5:
        return 1.0, 1.0
    lx, lz = (c * px - s * pz) * inv, (s * px + c * pz) * inv
    key = sdf.soft_shadow(prims, active, lx, 0.004, lz, light[0], light[1], light[2], 4.0)
    if lx * lx + lz * lz > 0.75:
        return key, 1.0
    n = prims.shape[0]
    for i in range(n):
        active[i] = i
    d1, _w = sdf.figure_distance(prims, active, n, lx, 0.07, lz)
    d2, _w2 = sdf.figure_distance(prims, active, n, lx, 0.2, lz)
    amb = 0.5 * min(1.0, max(0.0, d1 / 0.07)) + 0.5 * min(1.0, max(0.0, d2 / 0.2))
    return key, 0.45 + 0.55 * amb


@njit(cache=True, fastmath=True)
def see_figure(prims, active, mats, pat, fig, ox, oy, oz, dx, dy, dz, light, fillc, bounce, memo):
    """Trace the figure along a world ray: (hit, r, g, b).

    `memo` [7] keeps the light of the last primitive hit (row in memo[0], -1 none), so that the
    samples of one pixel share it; colours and patterns are taken per sample.
    """
    s, c, inv = fig[3], fig[4], 1.0 / fig[5]
    rx, ry, rz = ox - fig[0], oy, oz - fig[2]
    lx, ly, lz = (c * rx - s * rz) * inv, ry * inv, (s * rx + c * rz) * inv
    ex, ey, ez = c * dx - s * dz, dy, s * dx + c * dz
    # lean: a small roll about z, applied as a shear of the ray
    lx, ex = lx - fig[6] * ly, ex - fig[6] * ey
    n = math.sqrt(ex * ex + ey * ey + ez * ez)
    t, who, count = sdf.trace(prims, active, lx, ly, lz, ex / n, ey / n, ez / n)
    if t < 0:
        return False, 0.0, 0.0, 0.0
    x, y, z = lx + t * ex / n, ly + t * ey / n, lz + t * ez / n
    m = int(prims[who, 1])
    if memo[0] != who:
        memo[0] = who
        figure_light(prims, active, count, m, mats, x, y, z, -ex / n, -ey / n, -ez / n, light, fillc, bounce, memo)
    r, g, b = mats[m, 0], mats[m, 1], mats[m, 2]
    if m == 0 and pat[0] > 0:
        k = pattern_mix(int(pat[0]), x, y, z, int(pat[1]))
        r, g, b = r + (mats[1, 0] - r) * k, g + (mats[1, 1] - g) * k, b + (mats[1, 2] - b) * k
    return True, r * memo[1] + memo[4], g * memo[2] + memo[5], b * memo[3] + memo[6]


@njit(cache=True, fastmath=True)
def see_place(prims, active, mats, pat, fig, ox, oy, oz, dx, dy, dz, light_w, light, fillc, pid, v, s, memo):
    """Colour of the place along a ray, with the figure's shadow: (r, g, b, distance, kind).

    `memo` [3] keeps the floor's light for the samples of one pixel (memo[0] > 0: known).
    """
    r, g, b, t, kind = surface(pid, ox, oy, oz, dx, dy, dz, v, s)
    if kind == 0:
        return r, g, b, t, kind
    x, y, z = ox + t * dx, oy + t * dy, oz + t * dz
    if kind == 1:
        if memo[0] <= 0.0:
            memo[0] = 1.0
            memo[1], memo[2] = floor_light(prims, active, x, z, fig, light)
        key, amb = memo[1], memo[2]
        nl = light_w[1]
        if pid == 10:
            amb *= 0.55 + 0.45 * smooth(-0.75, -0.3, z)
        elif pid == 4 or pid == 5:
            amb *= 0.7 + 0.3 * smooth(-1.35, -0.8, z)
    else:
        key, amb, nl = 0.9, 0.75 + 0.25 * smooth(0.0, 0.6, y), max(0.15, light_w[2])
    fall = 1.0
    if pid == NIGHT:
        fall = 0.55 + 0.9 * math.exp(-((x - 0.3) ** 2 + (z - 0.2) ** 2) / 1.6)
    r *= fall * (key * nl * light[3] + amb * fillc[0])
    g *= fall * (key * nl * light[4] + amb * fillc[1])
    b *= fall * (key * nl * light[5] + amb * fillc[2])
    return r, g, b, t, kind


@njit(cache=True, fastmath=True)
def see_mirror(prims, active, mats, pat, fig, mirror, ox, oy, oz, dx, dy, dz, limit, light_w, light, fillc, bounce,
               pid, v, s, memo_floor, memo_fig, out):
    """Colour of the standing mirror along a ray into out[0:3]; its distance, or -1 where it is not."""
    den = dx * mirror[3] + dz * mirror[4]
    if den > -1e-4:
        return -1.0
    t = ((mirror[0] - ox) * mirror[3] + (mirror[2] - oz) * mirror[4]) / den
    if t <= 0 or t > limit + 0.6:
        return -1.0
    hx, hy, hz = ox + t * dx, oy + t * dy, oz + t * dz
    across = (hx - mirror[0]) * mirror[4] - (hz - mirror[2]) * mirror[3]
    a, c = abs(across) - mirror[5], abs(hy - mirror[1]) - mirror[6]
    if a > 0.07 or c > 0.07 or hy < 0:
        return -1.0
    if a >= 0 or c >= 0:
        edge = 0.75 + 0.5 * smooth(0.0, 0.035, max(a, c)) * smooth(0.07, 0.035, max(a, c))
        out[0], out[1], out[2] = 0.78 * edge, 0.58 * edge, 0.28 * edge
        return t
    k = 2 * den
    qx, qy, qz = dx - k * mirror[3], dy, dz - k * mirror[4]
    r, g, b, _t, _k = see_place(prims, active, mats, pat, fig, hx, hy, hz, qx, qy, qz, light_w, light, fillc, pid,
                                v, s, memo_floor)
    hit, fr, fg, fb = see_figure(prims, active, mats, pat, fig, hx, hy, hz, qx, qy, qz, light, fillc, bounce, memo_fig)
    if hit:
        r, g, b = fr, fg, fb
    out[0], out[1], out[2] = r * 0.9 + 0.03, g * 0.93 + 0.04, b * 0.94 + 0.05
    return t


@njit(cache=True, fastmath=True, nogil=True)
def draw(prims, mats, pat, fig, cam, light_w, light, fillc, bounce, pid, v, s, mirror, samples, place_out, figure_out,
         depth_out):
    """Fill place [H,W,3], figure [H,W,4] (colour x coverage, coverage) and depth [H,W], samples^2 rays a pixel."""
    active = np.empty(sdf.MAX_ACTIVE, np.int64)
    memo, memo_fig, memo2, memo_fig2, seen = np.zeros(3), np.zeros(7), np.zeros(3), np.zeros(7), np.zeros(3)
    sp, cp = math.sin(cam[0]), math.cos(cam[0])
    ox, oy, oz = 0.0, cam[2] + cam[1] * sp, cam[1] * cp
    half = cam[3] / 2
    height, width = depth_out.shape
    share = 1.0 / (samples * samples)
    for py in range(height):
        for px in range(width):
            memo[0], memo2[0], memo_fig[0], memo_fig2[0] = 0.0, 0.0, -1.0, -1.0
            for sub in range(samples * samples):
                ix, iy = px + (sub % samples + 0.5) / samples, py + (sub // samples + 0.5) / samples
                u = (ix - width / 2) / (height / 2) * half
                w = (height / 2 - iy) / (height / 2) * half
                dx, dy, dz = u, w * cp - cam[1] * sp, -w * sp - cam[1] * cp
                n = 1.0 / math.sqrt(dx * dx + dy * dy + dz * dz)
                dx, dy, dz = dx * n, dy * n, dz * n
                r, g, b, t, kind = see_place(prims, active, mats, pat, fig, ox, oy, oz, dx, dy, dz, light_w, light,
                                             fillc, pid, v, s, memo)
                if pid == MIRROR:
                    tm = see_mirror(prims, active, mats, pat, fig, mirror, ox, oy, oz, dx, dy, dz, t, light_w, light,
                                    fillc, bounce, pid, v, s, memo2, memo_fig2, seen)
                    if tm > 0:
                        r, g, b, t = seen[0], seen[1], seen[2], min(tm, cam[1] + 0.5)
                place_out[py, px, 0] += r * share
                place_out[py, px, 1] += g * share
                place_out[py, px, 2] += b * share
                depth_out[py, px] += t * share
                hit, r, g, b = see_figure(prims, active, mats, pat, fig, ox, oy, oz, dx, dy, dz, light, fillc,
                                          bounce, memo_fig)
                if hit:
                    figure_out[py, px, 0] += r * share
                    figure_out[py, px, 1] += g * share
                    figure_out[py, px, 2] += b * share
                    figure_out[py, px, 3] += share


@njit(cache=True, fastmath=True, nogil=True)
def blur(image, sigma):
    """Gaussian blur of [H, W, C], edges clamped."""
    h, w, ch = image.shape
    radius = int(math.ceil(2.5 * sigma))
    kernel = np.empty(2 * radius + 1)
    for i in range(-radius, radius + 1):
        kernel[i + radius] = math.exp(-0.5 * (i / sigma) ** 2)
    kernel /= kernel.sum()
    tmp, out = np.zeros_like(image), np.zeros_like(image)
    for y in range(h):
        for x in range(w):
            for i in range(-radius, radius + 1):
                xx = min(w - 1, max(0, x + i))
                for c in range(ch):
                    tmp[y, x, c] += kernel[i + radius] * image[y, xx, c]
    for y in range(h):
        for i in range(-radius, radius + 1):
            yy = min(h - 1, max(0, y + i))
            for x in range(w):
                for c in range(ch):
                    out[y, x, c] += kernel[i + radius] * tmp[yy, x, c]
    return out
