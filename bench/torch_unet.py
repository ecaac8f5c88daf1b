"""PyTorch's side of bench/torch.ts: times UNet2DConditionModel in eager mode.

Arguments: config.json, weights.safetensors (which also holds the inputs as in.*), threads. Then, per line on stdin, what to
do (`forward`, or `step PATTERN`: a training step of the parameters whose names match) and how often, as JSON; answers one
JSON list of milliseconds, and for 0 runs the output of a forward or the loss.
"""

import json
import re
import sys
import time

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file

config, weights, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
tensors = load_file(weights)
inputs = {name.removeprefix("in."): tensors.pop(name) for name in list(tensors) if name.startswith("in.")}
with open(config) as file:
    unet = UNet2DConditionModel.from_config(json.load(file)).eval()
unet.load_state_dict(tensors)


@torch.no_grad()
def forward():
    return unet(inputs["sample"], torch.tensor(500), inputs["encoder_hidden_states"]).sample


def trainer(pattern):
    """A step of AdamW on the mean squared error, gradients clipped, as in diffusers' training scripts; from the weights given."""
    unet.load_state_dict(tensors)
    trained = []
    for name, parameter in unet.named_parameters():
        parameter.requires_grad_(bool(re.search(pattern, name)))
        if parameter.requires_grad: trained.append(parameter)
    optimiser = torch.optim.AdamW(trained, lr=1e-6)

    def step():
        optimiser.zero_grad()
        output = unet(inputs["sample"], torch.tensor(500), inputs["encoder_hidden_states"]).sample
        loss = torch.nn.functional.mse_loss(output, inputs["target"])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        return loss.detach()

    return step


training, step = None, None
print(json.dumps({"torch": torch.__version__}), flush=True)
for line in sys.stdin:
    what, runs = json.loads(line)
    if what == "forward":
        work = forward
    else:
        pattern = what.removeprefix("step ")
        if pattern != training: training, step = pattern, trainer(pattern)
        work = step
    if runs == 0:
        print(json.dumps(work().flatten().tolist()), flush=True)
        continue
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - start))
    print(json.dumps(times), flush=True)
