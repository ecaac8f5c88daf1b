"""Train the text and vision towers: captions against pictures, and figures against figures.

Example: python train_clip.py --run RUN --minutes 15
A batch holds two pictures of each figure and few classes, so that the second loss has to tell
figures of one class apart. Resumes from RUN/clip.pt. Once RUN/text.pt exists the text tower stays fixed.
"""

import time

import numpy as np
import torch
import torch.nn.functional as F
from clip_pair import embed_images, embed_texts, text_tower, vision_tower
from make_data import load
from tokenizer import Tokenizer, train_merges
from train_common import Clock, Ema, Log, average_gradients, half, parser, prepare, restore, save
from world.captions import random_caption, vocabulary_lines

TOKENS = 24  # longest caption is shorter; positions beyond only hold padding
CLASSES_PER_BATCH = 3


def draw_batch(by_class: dict, pairs: int, rng) -> np.ndarray:
    """Scene indices [2 * pairs]: both pictures of `pairs` figures from a few classes."""
    names = rng.choice(sorted(by_class), CLASSES_PER_BATCH, replace=False)
    pool = np.concatenate([by_class[n] for n in names])
    first = rng.choice(pool, pairs, replace=False)
    return np.concatenate([first, first + 1])


def augment(images: torch.Tensor, rng) -> torch.Tensor:
    """Floats in [-1, 1] from uint8 [B, 3, S, S], half of them flipped, shifted a little."""
    x = images.float() / 127.5 - 1
    flip = torch.from_numpy(rng.random(len(x)) < 0.5)
    x = torch.where(flip[:, None, None, None], x.flip(-1), x)
    dy, dx = rng.integers(-6, 7, size=2)
    return torch.roll(x, (int(dy), int(dx)), (2, 3)) if rng.random() < 0.7 else x


def soft_nce(logits: torch.Tensor, positive: torch.Tensor) -> torch.Tensor:
    """Cross entropy with several positives per row; both [B, B]."""
    target = positive.float()
    return -(F.log_softmax(logits, -1) * target / target.sum(-1, keepdim=True)).sum(-1).mean()


def main() -> None:
    p = parser(__doc__, minutes=15, batch=64, lr=1e-3)
    args = p.parse_args()
    device = prepare(args)
    log, path = Log(args.run / "clip.log", args.rank), args.run / "clip.pt"
    tok = Tokenizer(train_merges(vocabulary_lines()))
    text, vision = text_tower(len(tok.vocab)).to(device), vision_tower().to(device)
    scale = torch.nn.Parameter(torch.tensor(2.0, device=device))
    everything = torch.nn.ModuleDict({"text": text, "vision": vision})
    ema_text, ema_vision = Ema(text, 0.99), Ema(vision, 0.99)
    weights = [*everything.parameters(), scale]
    opt = torch.optim.AdamW(weights, lr=args.lr, betas=(0.9, 0.98), weight_decay=0.02)
    step, clock, old = 0, Clock(args.minutes), restore(path)
    if old:
        everything.load_state_dict(old["model"])
        ema_text.module.load_state_dict(old["ema_text"])
        ema_vision.module.load_state_dict(old["ema_vision"])
        opt.load_state_dict(old["optimizer"])
        scale.data.copy_(old["scale"])
        step, clock = old["step"], Clock(args.minutes, old["elapsed"])
    images, _, scenes = load(args.run / "data", "train", args.limit)
    images = torch.from_numpy(images).permute(0, 3, 1, 2)
    if (args.run / "text.pt").exists():
        text.load_state_dict(torch.load(args.run / "text.pt", weights_only=True))
        text.requires_grad_(False)
    by_class = {}
    for i in range(0, len(scenes), 2):
        by_class.setdefault(scenes[i]["figure"]["class"], []).append(i)
    by_class = {k: np.array(v) for k, v in by_class.items()}
    rng = np.random.default_rng([args.seed, step, args.rank])
    log(f"{len(images)} pictures, from step {step}")
    saved, over = time.time(), False
    while not over:
        for group in opt.param_groups:
            group["lr"] = clock.rate(args.lr, step)
        pick = draw_batch(by_class, args.batch // 2, rng)
        captions = [random_caption(scenes[i], rng) for i in pick]
        ids = torch.from_numpy(np.stack([tok(c, TOKENS) for c in captions])).to(device)
        same_text = torch.tensor([[a == b for b in captions] for a in captions], device=device)
        figure = torch.arange(len(pick), device=device) % (len(pick) // 2)
        same_figure = (figure[:, None] == figure[None]) & ~torch.eye(len(pick), dtype=torch.bool, device=device)
        with half(device):
            u = embed_images(vision, augment(images[torch.from_numpy(pick)], rng).to(device))
            v = embed_texts(text, ids)
        logits = scale.exp() * u @ v.T
        caption_loss = 0.5 * (soft_nce(logits, same_text) + soft_nce(logits.T, same_text))
        alike = (scale.exp() * u @ u.T).masked_fill(torch.eye(len(pick), dtype=torch.bool, device=device), -1e4)
        figure_loss = soft_nce(alike, same_figure)
        loss = caption_loss + 0.7 * figure_loss
        opt.zero_grad()
        loss.backward()
        over = average_gradients(weights, clock.over, args.world)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        opt.step()
        scale.data.clamp_(max=3.9)
        if text.text_projection.weight.requires_grad:
            ema_text.update(text, step)
        ema_vision.update(vision, step)
        step += 1
        if step % 50 == 0:
            hits = (alike.argmax(1) == (torch.arange(len(pick), device=device) + len(pick) // 2) % len(pick))
            log(f"step {step} {clock.elapsed / 60:.1f} min caption {caption_loss.item():.3f} figure "
                f"{figure_loss.item():.3f} nearest is same figure {hits.float().mean().item():.2f}")
        if args.rank == 0 and (time.time() - saved > 120 or over):
            save(path, model=everything.state_dict(), ema_text=ema_text.module.state_dict(),
                 ema_vision=ema_vision.module.state_dict(), optimizer=opt.state_dict(), scale=scale.data, step=step,
                 elapsed=clock.elapsed)
            saved = time.time()


if __name__ == "__main__":
    main()
