"""Golden numbers for src/diffusion/samplers.test.ts beyond the deterministic Stable Diffusion ones: other betas,
spacings, prediction types and samplers that draw noise (torch's generator, seed 0).

diffusers 0.42.1, torch 2.15.0. Run: python tools/oracle/make_schedulers.py
"""
import json
import math
import pathlib
import warnings

import torch
from diffusers import (
    DDIMInverseScheduler,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    PNDMScheduler,
)

warnings.filterwarnings("ignore")
out = pathlib.Path(__file__).resolve().parents[2] / "src/diffusion/golden/schedulers.json"
out.parent.mkdir(exist_ok=True)
sd = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000)
ddim = dict(clip_sample=False, set_alpha_to_one=False, steps_offset=1)
nums = lambda t: [float(f"{v:.7g}") for v in t.flatten().tolist()]


def network(x, t):  # 20 values: the generator's vectorised branch
    return 0.3 * x + 0.1 * math.sin(float(t) / 100)


def run(scheduler, steps, **step_args):
    g = torch.Generator().manual_seed(0)
    scheduler.set_timesteps(steps)
    x = torch.linspace(-1.5, 1.5, 20) * float(scheduler.init_noise_sigma)
    takes_noise = not isinstance(scheduler, (DPMSolverMultistepScheduler, PNDMScheduler))
    if takes_noise:
        step_args = {**step_args, "generator": g}
    for t in scheduler.timesteps:
        x = scheduler.step(network(scheduler.scale_model_input(x, t), t), t, x, **step_args).prev_sample
    return {"steps": steps, "timesteps": [float(t) for t in scheduler.timesteps], "x": nums(x)}


def invert(scheduler, steps):
    scheduler.set_timesteps(steps)
    x = torch.linspace(-1, 1, 20)
    for t in scheduler.timesteps:
        x = scheduler.step(network(x, t), t, x).prev_sample
    return {"steps": steps, "x": nums(x)}


def config(scheduler):
    skip = ("trained_betas", "sigma_min", "sigma_max", "variance_type", "lambda_min_clipped", "clip_sample")
    return {k: v for k, v in scheduler.config.items() if k not in skip and v is not None and k[0] != "_"} | {
        "_class_name": type(scheduler).__name__
    }


cases = []
for name, scheduler, steps, args in [
    ("ddim", DDIMScheduler(**sd, **ddim), 7, {"eta": 0.5}),
    ("ddim", DDIMScheduler(**sd, **ddim), 3, {"eta": 1.0}),
    ("ddim", DDIMScheduler(**sd, **ddim, prediction_type="sample"), 6, {}),
    ("ddim", DDIMScheduler(**sd, clip_sample=False, timestep_spacing="linspace"), 9, {}),
    ("ddim", DDIMScheduler(clip_sample=False), 10, {}),
    ("ddim", DDIMScheduler(**{**sd, "beta_schedule": "squaredcos_cap_v2"}, clip_sample=False), 10, {}),
    (
        "ddim",
        DDIMScheduler(
            **sd, clip_sample=False, rescale_betas_zero_snr=True, timestep_spacing="trailing", prediction_type="v_prediction"
        ),
        8,
        {},
    ),
    ("euler", EulerDiscreteScheduler(**sd), 7, {}),
    ("euler", EulerDiscreteScheduler(**sd, timestep_spacing="leading", steps_offset=1, prediction_type="v_prediction"), 6, {}),
    ("euler-ancestral", EulerAncestralDiscreteScheduler(**sd), 7, {}),
    ("euler-ancestral", EulerAncestralDiscreteScheduler(**sd, timestep_spacing="leading", steps_offset=1), 5, {}),
    ("dpm-solver", DPMSolverMultistepScheduler(**sd, timestep_spacing="trailing"), 8, {}),
    ("dpm-solver", DPMSolverMultistepScheduler(**sd, prediction_type="v_prediction"), 16, {}),
    ("dpm-solver", DPMSolverMultistepScheduler(**sd, use_karras_sigmas=True), 5, {}),
    ("pndm", PNDMScheduler(**sd, skip_prk_steps=True, steps_offset=1), 5, {}),
    ("pndm", PNDMScheduler(**sd, skip_prk_steps=True, steps_offset=1), 2, {}),
    ("pndm", PNDMScheduler(**sd, skip_prk_steps=True, steps_offset=1), 1, {}),
    ("lcm", LCMScheduler(), 1, {}),
    ("lcm", LCMScheduler(), 4, {}),
    ("lcm", LCMScheduler(), 7, {}),
]:  # fmt: skip
    cases.append({"sampler": name, "config": config(scheduler), "eta": args.get("eta", 0), **run(scheduler, steps, **args)})
inversions = []
for scheduler in (
    DDIMInverseScheduler(**sd, **ddim, prediction_type="v_prediction"),
    DDIMInverseScheduler(**sd, clip_sample=False, set_alpha_to_one=True, timestep_spacing="trailing"),
):
    inversions.append({"config": config(scheduler), **invert(scheduler, 10)})
out.write_text(json.dumps({"cases": cases, "inversions": inversions}, separators=(",", ":")))
for c in cases:
    print(c["sampler"], c["timesteps"], c["x"][:2])
