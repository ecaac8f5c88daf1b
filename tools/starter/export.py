"""Write a diffusers folder in fp16 from the checkpoints of a run (random weights where there is none).

Example: python export.py --run RUN --out ../../public/models/starter
"""

import argparse
import json
from pathlib import Path

import torch
from clip_pair import load_pair, text_tower, vision_tower
from diffusers import UNet2DConditionModel
from presets import PRESETS, SCHEDULER
from safetensors.torch import save_file
from tokenizer import write
from train_common import restore
from train_vae import build

EDITING = Path(__file__).with_name("editing.json")
STEERING = Path(__file__).with_name("steering.json")
LEARNING = Path(__file__).with_name("learning.json")
RARE_WORD = "v"  # one token, in no caption: "sks" is three, and "a sks cat" is hardly a cat any more


def write_json(path: Path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n")


def write_weights(path: Path, state: dict, prefix: str = "", digits: torch.dtype = torch.float16) -> None:
    """fp16 tensors in name order; `prefix` is put before names that lack it (projections excepted).

    :param digits: precision that values are rounded to first; bfloat16 leaves zeros that pack well
    """
    def name(key):
        return key if key.startswith(prefix) or "_projection" in key else prefix + key

    named = {name(k): v.detach().to(digits).half().contiguous() for k, v in sorted(state.items()) if "position_ids" not in k}
    for key, value in named.items():
        if not torch.isfinite(value).all():
            raise SystemExit(f"{path}: {key} does not fit fp16")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(named, path, metadata={"format": "pt"})


def public_config(config: dict, cls: str) -> dict:
    """A configuration without the library's private and version entries."""
    kept = {k: v for k, v in config.items() if not k.startswith("_") and k != "transformers_version"}
    return {"_class_name": cls, **kept}


def export(run: Path, out: Path, preset: str) -> None:
    """Write every component below `out`."""
    torch.manual_seed(0)
    tok = write(out / "tokenizer")
    vae, unet = build(preset), UNet2DConditionModel(**PRESETS[preset]["unet"])
    text, vision = text_tower(len(tok.vocab)), vision_tower()
    if (run / "clip.pt").exists():
        text, vision = load_pair(run, len(tok.vocab))
    parts = {name: restore(run / f"{name}.pt") for name in ("vae", "unet")}
    if parts["vae"]:
        vae.load_state_dict(parts["vae"]["ema"])
    if parts["unet"]:
        unet.load_state_dict(parts["unet"]["ema"])
    write_json(out / "vae/config.json", public_config(dict(vae.config), type(vae).__name__))
    write_weights(out / "vae/diffusion_pytorch_model.safetensors", vae.state_dict())
    write_json(out / "unet/config.json", public_config(dict(unet.config), "UNet2DConditionModel"))
    write_weights(out / "unet/diffusion_pytorch_model.safetensors", unet.state_dict(),
                  digits=torch.bfloat16)  # what training multiplies with
    for folder, tower, cls in (("text_encoder", text, "CLIPTextModel"),
                               ("image_encoder", vision, "CLIPVisionModelWithProjection")):
        config = {k: v for k, v in tower.config.to_diff_dict().items() if k != "transformers_version"}
        for key in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "hidden_act",
                    "layer_norm_eps", "projection_dim", "max_position_embeddings", "vocab_size", "image_size",
                    "patch_size", "num_channels", "bos_token_id", "eos_token_id", "pad_token_id"):
            if hasattr(tower.config, key):
                config[key] = getattr(tower.config, key)
        config["architectures"] = [cls]
        config.pop("dtype", None)
        write_json(out / folder / "config.json", dict(sorted(config.items())))
        prefix = "text_model." if folder == "text_encoder" else "vision_model."
        state = dict(tower.state_dict())
        if folder == "text_encoder":  # kept beside the vision tower: text encoders of pipelines carry none
            state.pop("text_projection.weight")
        else:
            state["text_projection.weight"] = text.state_dict()["text_projection.weight"]
        write_weights(out / folder / "model.safetensors", state, prefix)
    write_json(out / "image_encoder/preprocessor_config.json", {
        "crop_size": {"height": 128, "width": 128}, "do_center_crop": True, "do_convert_rgb": True,
        "do_normalize": True, "do_rescale": True, "do_resize": True, "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": [0.5] * 3, "image_processor_type": "CLIPImageProcessor", "image_std": [0.5] * 3, "resample": 3,
        "rescale_factor": 1 / 255, "size": {"shortest_edge": 128}})
    write_json(out / "scheduler/scheduler_config.json", SCHEDULER)
    write_json(out / "model_index.json", {
        "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.30.0",
        "name": "Toy world starter", "license": "mit", "rareWord": RARE_WORD,
        "feature_extractor": [None, None], "safety_checker": [None, None], "requires_safety_checker": False,
        "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
        "scheduler": ["diffusers", "PNDMScheduler"], "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", type(vae).__name__], "editing": json.loads(EDITING.read_text()),
        "steering": json.loads(STEERING.read_text()), "learning": json.loads(LEARNING.read_text())})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--preset", default="cpu")
    args = parser.parse_args()
    export(args.run, args.out, args.preset)
    size = sum(f.stat().st_size for f in args.out.rglob("*") if f.is_file())
    print(f"{args.out}: {size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
