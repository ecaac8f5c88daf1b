"""Golden numbers of src/diffusion/networks.gpu.test.ts: a tiny UNet of diffusers with weights that are sines.

Run: python tools/oracle/tiny_unet.py > src/diffusion/golden/tiny-unet.json   (torch 2, diffusers 0.3x or later)
"""

import json
import math

import torch
from diffusers import UNet2DConditionModel

CONFIG = {
    "sample_size": 8, "in_channels": 4, "out_channels": 4, "block_out_channels": [8, 16], "layers_per_block": 1,
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    "cross_attention_dim": 12, "attention_head_dim": 2, "norm_num_groups": 4, "act_fn": "silu",
}


def wave(shape, scale, phase):
    n = math.prod(shape)
    return (scale * torch.sin(1.7 * torch.arange(n, dtype=torch.float64) + phase)).float().reshape(shape)


unet = UNet2DConditionModel(**CONFIG).eval()
state = {}
for name, value in unet.state_dict().items():
    shape = tuple(value.shape)
    scale = 0.1 if len(shape) == 1 else 1.2 / math.sqrt(math.prod(shape[1:]))
    state[name] = wave(shape, scale, len(name))
    if "norm" in name and name.endswith(".weight"):
        state[name] += 1
unet.load_state_dict(state)
with torch.no_grad():
    output = unet(wave((1, 4, 8, 8), 1, 0.5), torch.tensor(321), wave((1, 5, 12), 1, 0.25)).sample
print(json.dumps({"config": CONFIG, "output": [round(v, 7) for v in output.flatten().tolist()]}))
