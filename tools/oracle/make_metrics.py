"""Golden numbers for src/metrics: scikit-image on pictures made by a formula that the tests repeat.

scikit-image 0.26.0, numpy 2.4.6. Run: python tools/oracle/make_metrics.py
"""
import json
import pathlib

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

H, W = 40, 56
y, x, c = np.mgrid[0:H, 0:W, 0:3]
first = 60 + (3 * x + 2 * y + 40 * c) % 130 + (x * y + 7 * c) % 17
second = first + (x * 5 + y * 3 + c * 11) % 23 - 11  # everywhere a little
third = np.where((x - 20) ** 2 + (y - 18) ** 2 < 100, 255 - first, first)  # one disc inverted
inside = (((x - 20) ** 2 + (y - 18) ** 2 < 144)[..., 0]).astype(float)
first, second, third = (p.astype(np.uint8) for p in (first, second, third))
luma = lambda p: p.astype(np.float64) @ np.array([0.299, 0.587, 0.114])


def ssim(a, b, clip):
    args = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, full=True)
    mean, full = structural_similarity(luma(a), luma(b), **args)
    valid = full[5:-5, 5:-5]
    assert abs(valid.mean() - mean) < 1e-12
    if clip:  # contrast-structure below zero counts as zero (pyiqa); luminance is always positive
        valid = np.maximum(valid, 0)
    weights = inside[5:-5, 5:-5]
    return {
        "all": valid.mean(),
        "inside": (valid * weights).sum() / weights.sum(),
        "outside": (valid * (1 - weights)).sum() / (1 - weights).sum(),
    }


def psnr(a, b):
    error = ((a.astype(float) - b) ** 2).mean(-1)
    whole = peak_signal_noise_ratio(a, b, data_range=255)
    at = lambda w: 10 * np.log10(255**2 / ((error * w).sum() / w.sum()))
    return {"all": whole, "inside": at(inside), "outside": at(1 - inside) if (error * (1 - inside)).any() else None}


golden = {
    name: {"ssim": ssim(first, other, clip=True), "ssimUnclipped": ssim(first, other, clip=False)["all"], "psnr": psnr(first, other)}
    for name, other in (("second", second), ("third", third))
}
out = pathlib.Path(__file__).resolve().parents[2] / "src/metrics/golden/metrics.json"
out.parent.mkdir(parents=True, exist_ok=True)
out.write_text(json.dumps(golden, indent=1))
print(out.read_text())
