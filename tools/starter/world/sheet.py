"""Contact sheets: tile pictures into one."""

import numpy as np


def tile(pictures, columns: int, gap: int = 2) -> np.ndarray:
    """Tile uint8 [H, W, 3] pictures row by row on white."""
    h, w, _ = pictures[0].shape
    rows = -(-len(pictures) // columns)
    out = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap, 3), 255, np.uint8)
    for i, p in enumerate(pictures):
        y, x = divmod(i, columns)
        out[y * (h + gap):y * (h + gap) + h, x * (w + gap):x * (w + gap) + w] = p
    return out
