"""Start a run from an exported folder, where the checkpoints that made it are gone.

Example: python adopt.py --run RUN --model ../../public/models/starter
Writes RUN/{vae,unet,clip,text}.pt with the folder's fp16 weights and fresh optimisers; existing checkpoints are kept.
"""

import argparse
from pathlib import Path

import torch
from clip_pair import text_tower, vision_tower
from diffusers import UNet2DConditionModel
from presets import PRESETS
from safetensors.torch import load_file
from tokenizer import Tokenizer
from train_common import save
from train_vae import build


def fill(module: torch.nn.Module, state: dict, prefixes=("text_model.", "vision_model.")) -> dict:
    """Float32 state of `module` from tensors whose names may carry one of the prefixes more or less."""
    def find(name):
        for key in (name, *(p + name for p in prefixes), *(name.removeprefix(p) for p in prefixes)):
            if key in state:
                return state[key].float()
        return own[name]  # buffers that are not exported

    own = module.state_dict()
    module.load_state_dict({name: find(name) for name in own})
    return module.state_dict()


def adopt(run: Path, folder: Path, preset: str) -> None:
    """Write every checkpoint that `run` lacks."""
    run.mkdir(parents=True, exist_ok=True)
    tok = Tokenizer.load(folder / "tokenizer")
    image = load_file(folder / "image_encoder/model.safetensors")
    words = load_file(folder / "text_encoder/model.safetensors") | {
        "text_projection.weight": image["text_projection.weight"]}
    weights = "diffusion_pytorch_model.safetensors"
    vae = fill(build(preset), load_file(folder / "vae" / weights))
    unet = fill(UNet2DConditionModel(**PRESETS[preset]["unet"]), load_file(folder / "unet" / weights))
    text, vision = fill(text_tower(len(tok.vocab)), words), fill(vision_tower(), image)
    start = {"step": 0, "elapsed": 0.0}
    parts = {"vae": {"model": vae, "ema": vae, **start}, "unet": {"model": unet, "ema": unet, "seen": 0, **start},
             "clip": {"ema_text": text, "ema_vision": vision}, "text": text}
    for name, part in parts.items():
        path = run / f"{name}.pt"
        if not path.exists():
            save(path, **part)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--preset", default="cpu")
    args = parser.parse_args()
    adopt(args.run, args.model, args.preset)
