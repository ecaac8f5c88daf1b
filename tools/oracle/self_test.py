"""Expected numbers of src/runtime/self-test.ts, computed by PyTorch in float64.

Run: python tools/oracle/self_test.py > src/runtime/self-test.golden.json   (written with torch 2.x; no seed: inputs are sines)
"""

import json

import torch
import torch.nn.functional as F


def wave(scale, phase, *shape):
    n = torch.Size(shape).numel()
    return (scale * torch.sin(0.7 * torch.arange(n, dtype=torch.float64) ** 1.1 + phase)).float().double().reshape(shape)


x = wave(1.0, 0.0, 1, 8, 8, 8)
w1 = wave(0.2, 1.0, 16, 8, 3, 3)
w2 = wave(0.2, 2.0, 16, 16, 3, 3)
w3 = wave(0.5, 3.0, 1, 16, 1, 1)

h = F.conv2d(x, w1, padding=1)
n = F.instance_norm(h, eps=1e-5)
s = F.conv2d(n, w2, stride=2, padding=1)
tokens = s.reshape(16, 16).T
attended = torch.softmax(tokens @ tokens.T / 4, dim=-1) @ tokens
up = F.interpolate(attended.T.reshape(1, 16, 4, 4), scale_factor=2, mode="nearest")
y = F.conv2d(up + h, w3)
print(json.dumps([round(v, 7) for v in y.flatten().tolist()]))
