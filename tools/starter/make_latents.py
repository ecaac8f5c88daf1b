"""Cache what the UNet trains on: latents of every picture and its mirror image, and caption states.

Example: python make_latents.py --run RUN
For each of the splits "train" and "pair" that lacks it, writes RUN/cache-SPLIT.npz: latents float16 [2N, C, h, w]
(originals, then mirrored), masks uint8 [2N, h, w] (the figure's coverage), states float16 [K, L, D] of the distinct
captions (row 0: the empty one), subject int32 [K] (position of the figure's word, 0 where there is none), named int8 [K]
(which of PATTERNS it names, 0 for none) and rows int32 [N, CAPTIONS]; "pair" also has same_look bool [N]: whether the
figure looks as the one it replaces. A cache that lacks one of these is of an older version: delete it.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from clip_pair import hidden_states, load_pair
from make_data import load
from tokenizer import Tokenizer, train_merges
from train_vae import build, encode
from world.captions import random_caption, vocabulary_lines
from world.figures import CLASSES
from world.scene import PATTERNS

CAPTIONS = 8  # drawn per scene


def picture_parts(vae, images: np.ndarray, masks: np.ndarray) -> dict:
    """Latents and coverage per latent cell."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2)
    with torch.no_grad():
        latents = torch.cat([encode(vae, b.float() / 127.5 - 1).half() for flip in (False, True)
                             for b in (x.flip(-1) if flip else x).split(64)]).numpy()
    side, size = latents.shape[-1], masks.shape[-1]
    cells = masks.reshape(len(masks), side, size // side, side, size // side).mean((2, 4))
    return {"latents": latents, "masks": np.concatenate([cells, cells[..., ::-1]]).round().astype(np.uint8)}


def caption_parts(tok: Tokenizer, text, scenes: list, rng: np.random.Generator) -> dict:
    """States of the captions drawn for the scenes, and which scene has which."""
    known, rows = {"": 0}, np.zeros((len(scenes), CAPTIONS), np.int32)
    for i, s in enumerate(scenes):
        for k in range(CAPTIONS):
            rows[i, k] = known.setdefault(random_caption(s, rng), len(known))
    ids = np.stack([tok(c) for c in known])
    subject = np.isin(ids, [tok.word_ids(c)[-1] for c in CLASSES]).argmax(1).astype(np.int32)
    states = torch.cat([hidden_states(text, b).half() for b in torch.from_numpy(ids).split(128)]).numpy()
    named = np.array([max(i * (p in c) for i, p in enumerate(PATTERNS)) for c in known], np.int8)
    return {"states": states, "subject": subject, "named": named, "rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--preset", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    vae = build(args.preset)
    vae.load_state_dict(torch.load(args.run / "vae.pt", map_location="cpu", weights_only=True)["ema"])
    tok = Tokenizer(train_merges(vocabulary_lines()))
    text, _ = load_pair(args.run, len(tok.vocab))
    for number, split in enumerate(("train", "pair")):
        path = args.run / f"cache-{split}.npz"
        if path.exists():
            continue
        images, masks, scenes = load(args.run / "data", split)
        rng = np.random.default_rng([args.seed, number])
        parts = {**picture_parts(vae, images, masks), **caption_parts(tok, text, scenes, rng)}
        if split == "pair":
            originals = load(args.run / "data", "train", len(scenes))[2]
            parts["same_look"] = [a["figure"]["identity"]["id"] == b["figure"]["identity"]["id"]
                                  for a, b in zip(scenes, originals, strict=False)]
        np.savez(path, **parts)
        print(f"{split}: {len(scenes)} scenes, {len(parts['states'])} captions", flush=True)


if __name__ == "__main__":
    main()
