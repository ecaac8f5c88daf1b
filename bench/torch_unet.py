"""PyTorch's side of bench/torch.ts: times UNet2DConditionModel in eager mode.

Arguments: config.json, weights.safetensors (which also holds the inputs as in.*), threads. Then, per line on stdin, a
number of runs; answers one JSON list of milliseconds, and for `0` the output of one run.
"""

import json
import sys
import time

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file

config, weights, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
torch.set_grad_enabled(False)
tensors = load_file(weights)
inputs = {name.removeprefix("in."): tensors.pop(name) for name in list(tensors) if name.startswith("in.")}
with open(config) as file:
    unet = UNet2DConditionModel.from_config(json.load(file)).eval()
unet.load_state_dict(tensors)


def forward():
    return unet(inputs["sample"], torch.tensor(500), inputs["encoder_hidden_states"]).sample


print(json.dumps({"torch": torch.__version__}), flush=True)
for line in sys.stdin:
    runs = int(line)
    if runs == 0:
        print(json.dumps(forward().flatten().tolist()), flush=True)
        continue
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        forward()
        times.append(1000 * (time.perf_counter() - start))
    print(json.dumps(times), flush=True)
