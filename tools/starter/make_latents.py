"""Cache what the UNet trains on: latents of every scene and its mirror image, and caption states.

Example: python make_latents.py --run RUN
Writes RUN/latents.npy (float16 [2N, C, h, w], originals then mirrored), RUN/masks.npy (uint8 [2N, h, w], the
figure's coverage), RUN/captions.npz (states float16 [K, L, D] of the distinct captions, row 0 the empty one; rows
int32 [N, CAPTIONS]; subject int32 [K], the position of the figure's word, 0 where there is none).
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from clip_pair import hidden_states, load_pair
from make_data import load
from tokenizer import Tokenizer, train_merges
from train_vae import build, encode
from world.figures import CLASSES
from world.captions import random_caption, vocabulary_lines

CAPTIONS = 8  # drawn per scene


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--preset", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    images, masks, scenes = load(args.run / "data", "train")
    vae = build(args.preset)
    vae.load_state_dict(torch.load(args.run / "vae.pt", map_location="cpu", weights_only=True)["ema"])
    x = torch.from_numpy(images).permute(0, 3, 1, 2)
    with torch.no_grad():
        latents = [encode(vae, b.float() / 127.5 - 1).half() for flip in (False, True)
                   for b in (x.flip(-1) if flip else x).split(64)]
    np.save(args.run / "latents.npy", torch.cat(latents).numpy())
    side = latents[0].shape[-1]
    cells = masks.reshape(len(masks), side, masks.shape[1] // side, side, masks.shape[2] // side).mean((2, 4))
    np.save(args.run / "masks.npy", np.concatenate([cells, cells[..., ::-1]]).round().astype(np.uint8))
    rng = np.random.default_rng(args.seed)
    tok = Tokenizer(train_merges(vocabulary_lines()))
    text, _ = load_pair(args.run, len(tok.vocab))
    known, rows = {"": 0}, np.zeros((len(scenes), CAPTIONS), np.int32)
    for i, s in enumerate(scenes):
        for k in range(CAPTIONS):
            rows[i, k] = known.setdefault(random_caption(s, rng), len(known))
    ids = np.stack([tok(c) for c in known])
    nouns = [tok.word_ids(c)[-1] for c in CLASSES]
    subject = np.isin(ids, nouns).argmax(1).astype(np.int32)
    ids = torch.from_numpy(ids)
    states = torch.cat([hidden_states(text, b).half() for b in ids.split(128)]).numpy()
    np.savez(args.run / "captions.npz", states=states, rows=rows, subject=subject)
    print(len(scenes), "scenes", states.shape, "caption states")


if __name__ == "__main__":
    main()
