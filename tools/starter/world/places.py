"""What a ray sees where there is no figure: twelve places (numba).

`surface` answers with albedo, depth, normal and how the surface takes light.
`v` are eight variation numbers in [0, 1], `s` an integer seed.
"""

import math

from numba import njit

from .noise import fbm2, floor_int, hash3, noise2, smooth

TABLE, GRASS, BEACH, SNOW, BRICK, BOOKS, MIRROR, NIGHT, CHECKER, DESERT, SOFA, GARDEN = range(12)
FAR = 40.0


@njit(cache=True, fastmath=True, inline="always")
def mix(a, b, t):
    return a + (b - a) * t


@njit(cache=True, fastmath=True)
def mix3(a, b, t):
    return mix(a[0], b[0], t), mix(a[1], b[1], t), mix(a[2], b[2], t)


@njit(cache=True, fastmath=True)
def mul3(a, k):
    return a[0] * k, a[1] * k, a[2] * k


@njit(cache=True, fastmath=True)
def palette(h, sat, val):
    """Hue in turns to RGB, softened."""
    r = 0.5 + 0.5 * math.cos(6.2832 * h)
    g = 0.5 + 0.5 * math.cos(6.2832 * (h - 0.333))
    b = 0.5 + 0.5 * math.cos(6.2832 * (h - 0.667))
    return val * mix(1.0, r, sat), val * mix(1.0, g, sat), val * mix(1.0, b, sat)


@njit(cache=True, fastmath=True)
def planks(u, w, s, width, base):
    """Boards along u, stacked along w."""
    row = floor_int(w / width)
    f = w / width - row
    tone = 0.82 + 0.3 * hash3(row, 3, s)
    grain = fbm2(u * 1.3 + 7 * row, w * 9 + 2.5 * noise2(u * 0.9, row * 3.1, s), s + row, 2)
    tone *= 0.86 + 0.26 * grain
    gap = smooth(0.0, 0.05, min(f, 1 - f))
    return mul3(base, tone * (0.62 + 0.38 * gap))


@njit(cache=True, fastmath=True)
def ground(pid, x, z, v, s):
    """Albedo of the floor at (x, 0, z)."""
    if pid == TABLE:
        return planks(x, z + 0.3 * v[3], s, 0.36, mix3((0.72, 0.47, 0.27), (0.56, 0.33, 0.18), v[0]))
    if pid == GRASS or pid == GARDEN:
        n = fbm2(x * 2.2, z * 1.4, s, 3)
        streak = noise2(x * 13, z * 4.5, s + 9)
        c = mix3((0.30, 0.50, 0.16), (0.55, 0.70, 0.26), 0.75 * n + 0.2 * streak + 0.2 * (v[0] - 0.5))
        if pid == GARDEN:
            cell = 0.42
            ix, iz = floor_int(x / cell), floor_int(z / cell)
            jx, jz = hash3(ix, iz, s + 1), hash3(ix, iz, s + 2)
            dx = (x / cell - ix) - (0.32 + 0.36 * jx)
            dz = (z / cell - iz) - (0.32 + 0.36 * jz)
            d = math.sqrt(dx * dx + dz * dz)
            if hash3(ix, iz, s + 3) < 0.75:
                petal = palette(0.82 + 0.42 * hash3(ix, iz, s + 4), 0.5, 0.98)
                c = mix3(petal, c, smooth(0.22, 0.32, d))
                c = mix3((0.99, 0.85, 0.3), c, smooth(0.07, 0.12, d))
        return c
    if pid == BEACH:
        n = fbm2(x * 1.8, z * 2.6, s, 3)
        c = mix3((0.86, 0.74, 0.54), (0.96, 0.88, 0.70), n)
        shore = -1.45 - 0.5 * v[1] + 0.16 * math.sin(x * 1.7 + 6 * v[2])
        c = mix3((0.66, 0.55, 0.40), c, smooth(shore, shore + 0.45, z))
        sea = mix3((0.16, 0.52, 0.62), (0.22, 0.66, 0.70), noise2(x * 0.8, z * 2.2, s + 4))
        c = mix3(sea, c, smooth(shore - 0.1, shore, z))
        foam = math.exp(-((z - shore + 0.05) / 0.07) ** 2)
        return mix3(c, (0.98, 0.99, 1.0), 0.85 * foam)
    if pid == SNOW:
        n = fbm2(x * 1.5, z * 1.5, s, 3)
        return mix3((0.80, 0.86, 0.95), (0.97, 0.98, 1.0), n)
    if pid == BRICK:
        fx, fz = x / 0.8 - floor_int(x / 0.8), z / 0.8 - floor_int(z / 0.8)
        gap = smooth(0.0, 0.04, min(min(fx, 1 - fx), min(fz, 1 - fz)))
        tone = 0.86 + 0.16 * hash3(floor_int(x / 0.8), floor_int(z / 0.8), s) + 0.14 * (fbm2(x * 3, z * 3, s, 2) - 0.5)
        return mul3((0.62, 0.60, 0.57), tone * (0.72 + 0.28 * gap))
    if pid == BOOKS:
        return planks(x, z, s, 0.24, (0.55, 0.36, 0.22))
    if pid == MIRROR:
        rug = mix3(palette(v[4], 0.35, 0.74), (0.9, 0.86, 0.8), 0.25)
        ring = 0.5 + 0.5 * math.sin(9 * math.sqrt(x * x + z * z))
        return mix3(rug, mul3(rug, 0.8), smooth(0.35, 0.65, ring))
    if pid == NIGHT:
        n = fbm2(x * 4, z * 4, s, 2)
        return mul3((0.24, 0.25, 0.31), 0.75 + 0.5 * n)
    if pid == CHECKER:
        k = (floor_int(x / 0.46 + v[3]) + floor_int(z / 0.46 + v[5])) & 1
        dark = palette(v[0], 0.55, 0.42)
        return dark if k == 0 else (0.90, 0.88, 0.84)
    if pid == DESERT:
        r = math.sin(z * 7 + 1.2 * math.sin(x * 1.3 + 6 * v[1]) + 3 * noise2(x * 0.7, z * 0.7, s))
        return mix3((0.83, 0.54, 0.30), (0.95, 0.72, 0.46), 0.5 + 0.35 * r)
    n = fbm2(x * 3, z * 3, s, 2)
    seam = smooth(0.0, 0.05, abs(x - (v[3] - 0.5) * 1.6))
    return mul3(mix3((0.66, 0.09, 0.10), (0.80, 0.16, 0.15), n), 0.55 + 0.45 * seam)


@njit(cache=True, fastmath=True)
def wall(pid, x, y, v, s):
    """Albedo of the upright wall behind, for places that have one."""
    if pid == BRICK:
        bw, bh = 0.46, 0.19
        row = floor_int(y / bh)
        u = x / bw + 0.5 * (row & 1) + v[3]
        col = floor_int(u)
        fx, fy = (u - col) * bw, y - row * bh
        gap = smooth(0.008, 0.03, min(min(fx, bw - fx), min(fy, bh - fy)))
        tone = 0.75 + 0.4 * hash3(row, col, s)
        c = mix3((0.66, 0.29, 0.21), (0.60, 0.36, 0.26), v[0])
        return mix3((0.74, 0.70, 0.64), mul3(c, tone), gap)
    if pid == BOOKS:
        sh = 0.62
        y += 0.1
        shelf = floor_int(y / sh)
        fy = y - shelf * sh
        if fy < 0.07:
            return (0.45, 0.29, 0.17)
        w = 0.15
        col = floor_int(x / w + 0.4 * shelf)
        fx = x / w + 0.4 * shelf - col
        height = 0.36 + 0.16 * hash3(col, shelf, s)
        if fy - 0.07 > height:
            return (0.16, 0.10, 0.07)
        c = palette(hash3(col, shelf, s + 1), 0.62, 0.45 + 0.4 * hash3(col, shelf, s + 2))
        band = smooth(0.04, 0.06, abs(fy - 0.07 - 0.72 * height))
        edge = smooth(0.0, 0.14, min(fx, 1 - fx))
        return mul3(mix3((0.93, 0.84, 0.60), c, band), 0.45 + 0.55 * edge)
    if pid == MIRROR:
        stripe = smooth(0.3, 0.7, 0.5 + 0.5 * math.sin(x * 9))
        c = palette(v[0], 0.28, 0.86)
        return mul3(c, 0.9 + 0.1 * stripe) if y > 0.16 else (0.93, 0.92, 0.90)
    if pid == CHECKER:
        c = mix3(palette(v[6], 0.3, 0.9), (0.93, 0.9, 0.85), 0.35)
        return c if y > 0.2 else (0.96, 0.95, 0.93)
    # sofa back: round cushions
    w = 1.15
    u = x / w + v[3]
    f = u - floor_int(u)
    bulge = math.sqrt(max(0.0, 1 - (2 * f - 1) ** 4))
    top = smooth(1.25, 1.1, y)
    n = fbm2(x * 3, y * 3, s, 2)
    c = mul3(mix3((0.62, 0.08, 0.09), (0.78, 0.15, 0.14), n), 0.45 + 0.55 * bulge)
    room = palette(v[6], 0.2, 0.8)
    return mix3(room, c, top)


@njit(cache=True, fastmath=True)
def sky(pid, dx, dy, dz, crest, v, s):
    """Light from a direction that leaves the scene (radiance, not albedo).

    `crest` is the slope under which the floor ends; skylines stand on it.
    """
    h = dy / math.sqrt(dx * dx + dz * dz + 1e-9) + crest
    a = math.atan2(dx, -dz)
    if pid == TABLE:
        c = mix3(palette(v[5], 0.25, 0.80), palette(v[5] + 0.08, 0.3, 0.62), smooth(-0.05, 0.4, h))
        for i in range(5):
            ca, ch = -0.4 + 0.8 * hash3(i, 1, s), 0.02 + 0.32 * hash3(i, 2, s)
            w = 0.05 + 0.07 * hash3(i, 3, s)
            m = smooth(w, w * 0.8, abs(a - ca)) * smooth(w * 1.3, w, abs(h - ch))
            c = mix3(c, palette(hash3(i, 4, s), 0.35, 0.55 + 0.4 * hash3(i, 5, s)), 0.8 * m)
        return c
    if pid == NIGHT:
        c = mix3((0.10, 0.10, 0.22), (0.03, 0.04, 0.11), smooth(-0.05, 0.4, h))
        col = floor_int(a * 5.5 + 10 * v[1])
        top = 0.1 + 0.28 * hash3(col, 1, s)
        if h < top:
            c = (0.07, 0.07, 0.13)
            wx, wy = a * 30, h * 26
            if hash3(floor_int(wx), floor_int(wy), s + 5) < 0.34:
                fx, fy = wx - floor_int(wx), wy - floor_int(wy)
                if 0.2 < fx < 0.8 and 0.25 < fy < 0.8:
                    c = mix3((1.0, 0.78, 0.36), (0.75, 0.85, 1.0), hash3(floor_int(wx), floor_int(wy), s + 6))
        for i in range(7):
            ca, ch = -0.45 + 0.9 * hash3(i, 7, s), -0.02 + 0.3 * hash3(i, 8, s)
            r = 0.02 + 0.025 * hash3(i, 9, s)
            d = math.sqrt((a - ca) ** 2 + (h - ch) ** 2)
            lamp = palette(0.02 + 0.2 * hash3(i, 10, s), 0.6, 1.15)
            if hash3(i, 11, s) < 0.3:
                lamp = palette(hash3(i, 12, s), 0.7, 1.1)
            c = mix3(c, lamp, 0.9 * smooth(r * 1.15, r * 0.85, d) + 0.25 * math.exp(-d * d / (r * r * 8)))
        return c
    if pid == DESERT:
        c = mix3((0.99, 0.86, 0.66), (0.45, 0.68, 0.90), smooth(-0.05, 0.45, h))
        top = -0.03 + 0.16 * smooth(0.45, 0.75, noise2(a * 4.2, 0.5, s))
        return mix3(c, (0.72, 0.40, 0.27), smooth(top + 0.01, top - 0.01, h))
    if pid == BEACH:
        c = mix3((0.86, 0.93, 0.96), (0.40, 0.66, 0.92), smooth(0.0, 0.4, h))
        return mix3(c, (1.0, 1.0, 1.0), 0.8 * smooth(0.55, 0.8, fbm2(a * 3, h * 9, s, 3)))
    if pid == SNOW:
        c = mix3((0.90, 0.93, 0.97), (0.62, 0.74, 0.90), smooth(0.0, 0.4, h))
        u = a * 6.5 + 10 * v[2]
        col = floor_int(u)
        tip = 0.1 + 0.2 * hash3(col, 2, s)
        f = abs(u - col - 0.5) * 2
        jag = 0.03 * (h * 18 - floor_int(h * 18))
        if h < tip * (1 - f) + jag - 0.02:
            c = mix3((0.16, 0.32, 0.27), (0.88, 0.93, 0.97), 0.75 * smooth(0.45, 0.6, noise2(u * 3, h * 18, s)))
        return c
    # grass, garden: sky, clouds, round trees
    c = mix3((0.82, 0.92, 0.97), (0.45, 0.69, 0.93), smooth(0.0, 0.45, h))
    c = mix3(c, (1.0, 1.0, 1.0), 0.85 * smooth(0.5, 0.75, fbm2(a * 2.5, h * 7, s + 3, 3)))
    tall = 0.02 if pid == GARDEN else 0.0
    top = tall + 0.05 + 0.15 * noise2(a * 5, 0.3, s + 1) + 0.03 * noise2(a * 22, 0.1, s + 2)
    leaf = mix3((0.16, 0.36, 0.15), (0.36, 0.55, 0.22), fbm2(a * 14, h * 14, s + 4, 2))
    if pid == GARDEN:
        cu, cv = floor_int(a * 22), floor_int(h * 22)
        if hash3(cu, cv, s + 8) < 0.4:
            d = math.sqrt((a * 22 - cu - 0.5) ** 2 + (h * 22 - cv - 0.5) ** 2)
            leaf = mix3(palette(0.8 + 0.45 * hash3(cu, cv, s + 9), 0.45, 1.0), leaf, smooth(0.25, 0.42, d))
    return mix3(leaf, c, smooth(top - 0.01, top + 0.01, h))


@njit(cache=True, fastmath=True, inline="always")
def wall_depth(pid):
    """z of the wall behind the figure, or a far value where there is none."""
    if pid == BRICK or pid == BOOKS:
        return -1.35
    if pid == MIRROR or pid == CHECKER:
        return -1.7
    if pid == SOFA:
        return -0.75
    return -FAR


@njit(cache=True, fastmath=True, inline="always")
def floor_end(pid):
    """z where the floor ends in a crest, or a far value where a wall does that."""
    if pid == TABLE:
        return -1.25
    if pid == BEACH:
        return -9.0
    if pid == NIGHT:
        return -1.9
    if pid == DESERT:
        return -3.0
    if pid == GRASS or pid == SNOW or pid == GARDEN:
        return -2.3
    return -FAR


@njit(cache=True, fastmath=True)
def surface(pid, ox, oy, oz, dx, dy, dz, v, s):
    """First thing along a ray: (r, g, b, distance, kind); kind 0 sky, 1 floor, 2 wall."""
    best, kind = FAR, 0
    if dy < -1e-4:
        t = -oy / dy
        z = oz + t * dz
        if t < best and z > floor_end(pid):
            best, kind = t, 1
    wz = wall_depth(pid)
    if wz > -FAR + 1 and dz < -1e-4:
        t = (wz - oz) / dz
        if 0 < t < best:
            best, kind = t, 2
    elif wz > -FAR + 1 and dz > 1e-4:
        t = (4.5 - oz) / dz  # the wall behind the viewer, seen in mirrors
        if 0 < t < best:
            best, kind = t, 2
    if kind == 0:
        end = floor_end(pid)
        crest = max(0.0, oy / (oz - end)) if end > -FAR + 1 else 0.0
        r, g, b = sky(pid, dx, dy, dz, crest, v, s)
        return r, g, b, FAR, 0
    x, y, z = ox + best * dx, oy + best * dy, oz + best * dz
    if kind == 2:
        r, g, b = wall(pid, x, y, v, s)
        return r, g, b, best, 2
    r, g, b = ground(pid, x, z, v, s)
    return r, g, b, best, 1
