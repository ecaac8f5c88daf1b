"""Deterministic hash noise for the renderer (numba, no state)."""

from numba import njit


@njit(cache=True, fastmath=True, inline="always")
def hash3(ix, iy, iz):
    """Integers to a float in [0, 1); the same everywhere."""
    h = (ix * 374761393 + iy * 668265263 + iz * 2147483647 + 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 16)) * 2246822519) & 0xFFFFFFFF
    return ((h ^ (h >> 15)) & 0xFFFFFF) / 16777216.0


@njit(cache=True, fastmath=True, inline="always")
def floor_int(x):
    i = int(x)
    return i - 1 if x < i else i


@njit(cache=True, fastmath=True)
def noise2(x, y, seed):
    """Smooth value noise in [0, 1] with one feature per unit length."""
    ix, iy = floor_int(x), floor_int(y)
    fx, fy = x - ix, y - iy
    ux, uy = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)
    a, b = hash3(ix, iy, seed), hash3(ix + 1, iy, seed)
    c, d = hash3(ix, iy + 1, seed), hash3(ix + 1, iy + 1, seed)
    return (a * (1 - ux) + b * ux) * (1 - uy) + (c * (1 - ux) + d * ux) * uy


@njit(cache=True, fastmath=True)
def fbm2(x, y, seed, octaves):
    """Sum of octaves of noise2, normalised to [0, 1]."""
    total, amp, norm = 0.0, 1.0, 0.0
    for o in range(octaves):
        total += amp * noise2(x, y, seed + o * 17)
        norm += amp
        amp *= 0.5
        x, y = x * 2.03 + 5.1, y * 2.03 + 1.7
    return total / norm


@njit(cache=True, fastmath=True)
def noise3(x, y, z, seed):
    """Smooth value noise in [0, 1] in three dimensions."""
    iz = floor_int(z)
    fz = z - iz
    uz = fz * fz * (3 - 2 * fz)
    return noise2(x, y, seed + iz * 101) * (1 - uz) + noise2(x, y, seed + (iz + 1) * 101) * uz


@njit(cache=True, fastmath=True, inline="always")
def smooth(lo, hi, x):
    """Smoothstep from 0 at lo to 1 at hi."""
    t = (x - lo) / (hi - lo)
    t = 0.0 if t < 0 else (1.0 if t > 1 else t)
    return t * t * (3 - 2 * t)
