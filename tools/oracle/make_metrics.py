"""Golden numbers for src/metrics: scikit-image on pictures made by a formula that the tests repeat.

scikit-image 0.26.0, numpy 2.4.6, pyiqa 0.1.16 (MS-SSIM; its ssim_arch alone). Run: python tools/oracle/make_metrics.py
"""
import importlib.util
import json
import pathlib
import sys
import types

import numpy as np
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

pyiqa = pathlib.Path(importlib.util.find_spec("pyiqa").origin).parent
for name in ("", ".archs", ".utils"):  # as folders only: the packages' own imports need far more than MS-SSIM does
    package = sys.modules[f"pyiqa{name}"] = types.ModuleType(f"pyiqa{name}")
    package.__path__ = [str(pyiqa / name[1:])]
from pyiqa.archs.ssim_arch import ms_ssim  # noqa: E402

H, W = 40, 56
LARGE = 170, 181  # both sides become odd on the way down


def pictures(height, width):
    y, x, c = np.mgrid[0:height, 0:width, 0:3]
    first = 60 + (3 * x + 2 * y + 40 * c) % 130 + (x * y + 7 * c) % 17
    second = first + (x * 5 + y * 3 + c * 11) % 23 - 11  # everywhere a little
    third = np.where((x - 20) ** 2 + (y - 18) ** 2 < 100, 255 - first, first)  # one disc inverted
    return [p.astype(np.uint8) for p in (first, second, third)]


first, second, third = pictures(H, W)
y, x = np.mgrid[0:H, 0:W]
inside = ((x - 20) ** 2 + (y - 18) ** 2 < 144).astype(float)
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


def multi_scale(a, b):
    """Product form of luma in double precision (its exponents are single)."""
    a, b = (torch.from_numpy(luma(p))[None, None] for p in (a, b))
    return ms_ssim(a, b, data_range=255).item()


large = dict(zip(("first", "second", "third"), pictures(*LARGE)))
golden = {
    name: {"msSsim": multi_scale(large["first"], large[name]), "ssim": ssim(first, other, clip=True), "ssimUnclipped": ssim(first, other, clip=False)["all"], "psnr": psnr(first, other)}
    for name, other in (("second", second), ("third", third))
}
out = pathlib.Path(__file__).resolve().parents[2] / "src/metrics/golden/metrics.json"
out.parent.mkdir(parents=True, exist_ok=True)
out.write_text(json.dumps(golden, indent=2) + "\n")
print(out.read_text())
