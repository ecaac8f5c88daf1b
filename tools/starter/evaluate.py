"""Measure an exported starter on held-out scenes and draw contact sheets.

Example: python evaluate.py --run RUN --model ../../public/models/starter --n 500 --edits 100 --json RUN/quality.json
Rows can be chosen with --rows (default: all). Everything is seeded.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from classifier import HEADS, judge, labels, load_judge
from diffusers import AutoencoderTiny, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from editing import Settings, dds_sm, ddim
from make_data import load
from PIL import Image
from skimage.metrics import structural_similarity
from tokenizer import Tokenizer
from transformers import CLIPTextModel, CLIPVisionModelWithProjection
from world import picture
from world.captions import caption
from world.scene import with_class
from world.sheet import tile

ROWS = ("judge", "autoencoder", "identity", "generate", "invert", "edit")
SWAPS = {"cat": "dog", "dog": "cat", "rabbit": "bear", "bear": "rabbit", "duck": "cat", "turtle": "elephant",
         "elephant": "turtle", "mug": "teapot", "teapot": "mug", "boot": "backpack", "car": "boot", "backpack": "mug"}


class Starter:
    """The exported folder, in float32, with the few calls that the measurements need."""

    def __init__(self, folder: Path):
        self.unet = UNet2DConditionModel.from_pretrained(folder / "unet").float().eval()
        self.unet.set_attn_processor(AttnProcessor())
        self.vae = AutoencoderTiny.from_pretrained(folder / "vae").float().eval()
        self.text = CLIPTextModel.from_pretrained(folder / "text_encoder").float().eval()
        self.vision = CLIPVisionModelWithProjection.from_pretrained(folder / "image_encoder").float().eval()
        self.tok = Tokenizer.load(folder / "tokenizer")
        self.empty = self.states([""])

    @torch.no_grad()
    def states(self, prompts: list) -> torch.Tensor:
        """Text states [B, L, D]."""
        return self.text(input_ids=torch.from_numpy(np.stack([self.tok(p) for p in prompts]))).last_hidden_state

    @torch.no_grad()
    def encode(self, x):
        return torch.cat([self.vae.encode(b).latents for b in x.split(16)])

    @torch.no_grad()
    def decode(self, z):
        return torch.cat([self.vae.decode(b).sample.clamp(-1, 1) for b in z.split(16)])

    @torch.no_grad()
    def embed(self, x):
        """Unit image vectors [B, D]."""
        e = torch.cat([self.vision(pixel_values=b).image_embeds for b in x.split(64)])
        return torch.nn.functional.normalize(e, dim=-1)


def decibel(a, b, weight=None) -> torch.Tensor:
    """PSNR per picture of [-1, 1] images [B, 3, H, W], optionally over weights [B, 1, H, W]."""
    d = ((a - b) / 2).pow(2)
    mse = d.mean((1, 2, 3)) if weight is None else (d * weight).sum((1, 2, 3)) / (3 * weight.sum((1, 2, 3)) + 1e-9)
    return -10 * torch.log10(mse + 1e-10)


def as_bytes(x) -> list:
    """[-1, 1] images [B, 3, H, W] to uint8 [H, W, 3] pictures."""
    return list(((x.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy())


def share(hits) -> float:
    return round(float(torch.as_tensor(hits).float().mean()), 4)


def rate_autoencoder(m, images, _scenes):
    y = m.decode(m.encode(images))
    ssim = [structural_similarity(a, b, channel_axis=2, data_range=255)
            for a, b in zip(as_bytes(images), as_bytes(y), strict=True)]
    return {"psnr_db": round(decibel(images, y).mean().item(), 2), "ssim": round(float(np.mean(ssim)), 4)}, (images, y)


def rate_identity(m, images, scenes):
    """Share of triples (figure, same figure elsewhere, other figure of the class) that CLIP-I orders rightly."""
    e = m.embed(images)
    right, total = 0, 0
    for i in range(0, len(scenes) - 1, 2):
        same = (e[i] @ e[i + 1]).item()
        for j in range(0, len(scenes), 2):
            a, b = scenes[i]["figure"], scenes[j]["figure"]
            if a["class"] == b["class"] and a["identity"]["id"] != b["identity"]["id"]:
                right, total = right + (same > (e[i] @ e[j]).item()), total + 1
    return {"ordered": round(right / max(total, 1), 4), "triples": total}


def rate_generation(m, net, scenes, guidance, steps, seed=0):
    """Pictures from captions with colour and pattern words, judged."""
    prompts = [caption(s, colour=True, pattern=True) for s in scenes]
    rng = torch.Generator().manual_seed(seed)
    out = []
    for i in range(0, len(prompts), 32):
        part = prompts[i:i + 32]
        noise = torch.randn((len(part), m.unet.config.in_channels, 16, 16), generator=rng)
        out.append(m.decode(ddim(m.unet, noise, m.states(part), m.empty, guidance, steps)))
    out = torch.cat(out)
    truth, said = labels(scenes), judge(net, out)
    hit = {k: (truth[k] == said[k]) for k in HEADS}
    words = torch.tensor([s["figure"]["identity"]["pattern"] != "plain" for s in scenes])
    return {"class": share(hit["class"]), "place": share(hit["place"]), "colour_word": share(hit["colour"]),
            "pattern_word": share(hit["pattern"][words]), "guidance": guidance, "steps": steps}, out


def rate_inversion(m, images, scenes):
    """DDIM inversion with 50 steps and guidance 1, and back; against the picture and its reconstruction."""
    z, states = m.encode(images), m.states([caption(s) for s in scenes])
    noise = ddim(m.unet, z, states, m.empty, 1.0, 50, invert=True)
    back = m.decode(ddim(m.unet, noise, states, m.empty, 1.0, 50))
    return {"psnr_db": round(decibel(images, back).mean().item(), 2),
            "psnr_to_reconstruction_db": round(decibel(m.decode(z), back).mean().item(), 2)}


def edit_batch(m, images, scenes, settings, seed=0):
    """Swap the class word of every scene; edited pictures, masks and target scenes."""
    targets = [with_class(s, SWAPS[s["figure"]["class"]]) for s in scenes]
    source, target = [caption(s) for s in scenes], [caption(t) for t in targets]
    tokens = []
    for s, p in zip(scenes, source, strict=True):
        ids, word = m.tok(p), m.tok.word_ids(s["figure"]["class"])
        tokens.append(int(np.where(ids == word[-1])[0][0]))
    z, mask = dds_sm(m.unet, m.encode(images), m.states(source), m.states(target), m.empty, torch.tensor(tokens),
                     settings, seed)
    return m.decode(z), mask, targets


def true_edits(targets: list) -> tuple[torch.Tensor, torch.Tensor]:
    """True edits in [-1, 1] and their figure coverage [B, 1, H, W]."""
    drawn = [picture.picture(t) for t in targets]
    x = torch.from_numpy(np.stack([d[0] for d in drawn])).permute(0, 3, 1, 2).float() / 127.5 - 1
    return x, torch.from_numpy(np.stack([d[1] for d in drawn]))[:, None]


def rate_edits(m, net, images, masks, scenes, settings, truth=None):
    """Every number of the edit rows, and the pictures."""
    edited, mask, targets = edit_batch(m, images, scenes, settings)
    true, cover = true_edits(targets) if truth is None else truth
    said, wanted = judge(net, edited), labels(targets)
    outside = ((masks < 0.01) & (cover < 0.01)).float()
    near, before = decibel(edited, true), decibel(images, true)
    shown = m.decode(m.encode(images))
    return {"new_class": share(said["class"] == wanted["class"]), "place_kept": share(said["place"] == wanted["place"]),
            "outside_db": round(decibel(edited, images, outside).mean().item(), 2),
            "outside_to_reconstruction_db": round(decibel(edited, shown, outside).mean().item(), 2),
            "nearer_to_truth": share(near > before),
            "nearer_to_truth_than_reconstruction": share(near > decibel(shown, true)),
            "truth_db": round(near.mean().item(), 2), "source_db": round(before.mean().item(), 2),
            **vars(settings)}, (edited, mask, true)


def sheet_of(path: Path, pictures: list, columns: int) -> None:
    Image.fromarray(tile(pictures, columns)).save(path, quality=88)


def settings_of(folder: Path) -> Settings:
    """The recommended settings of score edits of a model folder."""
    e = json.loads((folder / "model_index.json").read_text())["editing"]["score"]["all"]
    return Settings(e["steps"], e["stepSize"], e["guidanceScale"], e["tMin"], e["tMax"], e["maskPower"])


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--run", type=Path, required=True)
    p.add_argument("--model", type=Path, required=True)
    p.add_argument("--n", type=int, default=500)
    p.add_argument("--edits", type=int, default=100)
    p.add_argument("--guidance", type=float, default=7.5)
    p.add_argument("--steps", type=int, default=30)
    p.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    p.add_argument("--sheets", type=Path, help="folder for contact sheets")
    p.add_argument("--json", type=Path)
    args = p.parse_args()
    torch.set_num_threads(1)
    if args.sheets:
        args.sheets.mkdir(parents=True, exist_ok=True)
    images, masks, scenes = load(args.run / "data", "test")
    images, scenes = torch.from_numpy(images[:args.n]).permute(0, 3, 1, 2).float() / 127.5 - 1, scenes[:args.n]
    masks = torch.from_numpy(masks[:args.n])[:, None].float() / 255
    m, result = Starter(args.model), {"n": len(scenes)}
    net = load_judge(args.run) if {"judge", "generate", "edit"} & set(args.rows) else None

    def note(name, value):
        result[name] = value
        print(time.strftime("%H:%M:%S"), name, json.dumps(value), flush=True)
        if args.json:
            args.json.write_text(json.dumps(result, indent=2) + "\n")

    k = min(args.edits, len(scenes))
    if "judge" in args.rows:
        said, truth = judge(net, images), labels(scenes)
        note("judge", {h: share(said[h] == truth[h]) for h in HEADS})
    if "autoencoder" in args.rows:
        note("autoencoder", rate_autoencoder(m, images, scenes)[0])
    if "identity" in args.rows:
        note("identity", rate_identity(m, images, scenes))
    if "invert" in args.rows:
        note("invert", rate_inversion(m, images[:k], scenes[:k]))
    if "edit" in args.rows:
        value, (edited, mask, true) = rate_edits(m, net, images[:k], masks[:k], scenes[:k], settings_of(args.model))
        note("edit", value)
        if args.sheets:
            shown = [v for i in range(0, min(k, 24)) for v in (as_bytes(images[i:i + 1])[0], as_bytes(edited[i:i + 1])[0],
                                                               as_bytes(true[i:i + 1])[0])]
            sheet_of(args.sheets / "starter-edits.jpg", shown, 9)
    if "generate" in args.rows:
        value, out = rate_generation(m, net, scenes, args.guidance, args.steps)
        note("generate", value)
        if args.sheets:
            sheet_of(args.sheets / "starter-samples.jpg", as_bytes(out[:40]), 8)


if __name__ == "__main__":
    main()
