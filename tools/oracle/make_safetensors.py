"""Golden files for src/formats/safetensors.test.ts, written by the reference library.

safetensors 0.8.0, torch 2.15.0, numpy 2.4.6. Run: python tools/oracle/make_safetensors.py
"""
import json
import pathlib
import numpy as np
import torch
from safetensors.torch import save

here = pathlib.Path(__file__).resolve().parents[2] / "src/formats/golden"
here.mkdir(parents=True, exist_ok=True)
ramp = torch.tensor([0.0, -1.5, 0.1, 65504.0, 3.0e-5, -6.0e-8])
tensors = {
    "z.weight": ramp.reshape(2, 3),
    "a.half": ramp.half(),
    "b.brain": ramp.bfloat16().reshape(3, 2),
    "a.ids": torch.tensor([[49406, 320, 49407]]),
    "wide": torch.tensor([np.pi], dtype=torch.float64),
    "int": torch.tensor([-7, 7], dtype=torch.int32),
    "bytes": torch.tensor([0, 128, 255], dtype=torch.uint8),
    "signed": torch.tensor([-128, 127], dtype=torch.int8),
    "flags": torch.tensor([True, False, True]),
    "scalar": torch.tensor(4.0, dtype=torch.float16),
    "down.attn1.processor": torch.zeros(0),
    "naïve.名": torch.ones(1),
}
(here / "reference.safetensors").write_bytes(save(tensors, {"format": "pt"}))

# float32 -> fp16/bf16 rounding: random bit patterns, and every boundary between two neighbouring halves
rng = np.random.default_rng(0)
halves = np.concatenate([rng.integers(0, 0x7C00, 150), [0, 1, 0x3FF, 0x400, 0x7BFE]]).astype(np.uint16)
low = halves.view(np.float16).astype(np.float64)
high = (halves + 1).view(np.float16).astype(np.float64)
high[~np.isfinite(high)] = 65536.0
middle = ((low + high) / 2).astype(np.float32)
edges = np.concatenate([middle, np.nextafter(middle, np.float32(0)), np.nextafter(middle, np.float32(np.inf))])
special = np.array([0.0, -0.0, np.inf, -np.inf, 65504, 65519.996, 65520, 1e38, 1e-45, 2**-25, 2**-24], np.float32)
x = np.concatenate([edges, -edges, special, rng.integers(0, 2**32, 200, dtype=np.uint64).astype(np.uint32).view(np.float32)])
x = x[~np.isnan(x)]
t = torch.from_numpy(x)
(here / "half.json").write_text(
    json.dumps(
        {
            "float32": x.view(np.uint32).tolist(),
            "half": t.half().view(torch.uint16).tolist(),
            "bfloat": t.bfloat16().view(torch.uint16).tolist(),
        },
        separators=(",", ":"),
    )
)
