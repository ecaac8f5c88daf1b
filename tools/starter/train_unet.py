"""Train the UNet on cached latents: weighted epsilon loss, attention taught by the figure's mask, Muon, EMA.

A share of every batch is counterfactual: the noisy picture of one figure, the caption of another in its place, and as
target the noise that leads to the picture of that other figure. This is where an edit by delta denoising asks the
network (target prompt on the noised source), and it teaches in few pictures what a word changes and what it leaves. But
where the other figure's stripes run, the first does not tell: it also teaches to leave patterns out. So the last part of
the training has few of them, and more captions that name a pattern: --swapped 0.05 --named 0.75.

Example, two processes: for r in 0 1; do python train_unet.py --run RUN --world 2 --rank $r & done
Resumes from RUN/unet.pt; `--minutes` counts earlier runs.
"""

import time

import numpy as np
import torch
from attention import install, misplaced
from diffusers import UNet2DConditionModel
from muon import Muon, split
from presets import PRESETS
from train_common import Clock, Ema, Log, average_weights, half, parser, prepare, restore, save
from world.scene import PATTERNS

DROP = 0.1  # share of empty captions
SYNC = 10.0  # seconds between averages of the processes' weights
GAMMA = 5.0  # Hang et al. 2023, arXiv:2303.09556: at low noise, weight gamma / SNR for epsilon prediction
FIGURE = 8.0  # extra weight of the figure's cells: places are learned long before toys
TAUGHT = 0.02  # weight of the attention loss
EDGES = ("conv_in", "conv_out", "time_embedding")  # first and last layers are Adam's (see muon.py)


def alphas_cumprod() -> torch.Tensor:
    """Stable Diffusion's scaled-linear schedule, float32 [1000]."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, 0).float()


def build_unet(preset: str) -> UNet2DConditionModel:
    """UNet of a preset."""
    return UNet2DConditionModel(**PRESETS[preset]["unet"])


def weight_of(snr: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
    """Weight of the epsilon loss: at most gamma / SNR where there is little noise, 1 / sqrt(SNR) where there is much.

    Plain epsilon loss nearly ignores high noise, where it is decided what the picture shows.
    """
    return torch.where(snr < 1, snr.rsqrt(), torch.minimum(snr, gamma) / snr)


class Batches:
    """Random training batches from RUN's caches; scenes of "pair" that keep the look are counterparts in "train".

    :param swapped: share of counterfactual examples
    :param named: share of the others that are drawn from captions that name a pattern, and not from all
    :param patterns: those patterns, as likely as they are often listed
    """

    def __init__(self, run, device, rng, swapped: float, named: float, patterns: list):
        train, pair = (np.load(run / f"cache-{split}.npz") for split in ("train", "pair"))

        def joined(name, **kind):
            return torch.from_numpy(np.concatenate([train[name], pair[name]])).to(**kind)

        self.latents, self.masks = joined("latents"), joined("masks")
        self.states, self.subject = joined("states"), joined("subject", dtype=torch.int64)
        n, p = len(train["rows"]), len(pair["rows"])
        rows = (train["rows"], np.where(pair["rows"] > 0, pair["rows"] + len(train["states"]), 0))
        self.rows = np.concatenate([rows[0], rows[0], rows[1], rows[1]])  # mirror images share captions
        # With another look the colours are anyone's guess, and the network learns to erase instead of to paint.
        same = np.flatnonzero(pair["same_look"])
        both = np.concatenate([same, n + same]), 2 * n + np.concatenate([same, p + same])
        self.targets, self.sources = np.concatenate(both), np.concatenate(both[::-1])
        names = np.concatenate([train["named"], pair["named"]])[self.rows]
        self.patterns = [np.argwhere(names == PATTERNS.index(p)) for p in patterns]  # picture and caption
        self.device, self.rng, self.swapped, self.named = device, rng, swapped, named

    def draw(self, size: int) -> dict:
        """Tensors of a batch: source and target latents [B, C, h, w], mask [B, 1, h, w] of the figures in either, text
        states [B, L, D], subject positions [B], timesteps [B]."""
        rng = self.rng
        target = rng.integers(len(self.latents), size=size)
        source = target.copy()
        column = rng.integers(self.rows.shape[1], size=size)
        swap = rng.random(size) < self.swapped
        pick = rng.integers(len(self.targets), size=swap.sum())
        target[swap], source[swap] = self.targets[pick], self.sources[pick]
        named = ~swap & (rng.random(size) < self.named)
        for i in np.flatnonzero(named):
            target[i], column[i] = rng.choice(self.patterns[rng.integers(len(self.patterns))])
        source[named] = target[named]
        text = self.rows[target, column]
        text = torch.from_numpy(np.where((rng.random(size) < DROP) & ~swap, 0, text)).long()
        source, target = torch.from_numpy(source), torch.from_numpy(target)
        # Stratified timesteps: every batch covers the whole range.
        t = torch.from_numpy(((np.arange(size) + rng.random(size)) / size * 1000).astype(np.int64))
        parts = {"source": self.latents[source].float(), "target": self.latents[target].float(),
                 "mask": torch.maximum(self.masks[source], self.masks[target])[:, None].float() / 255,
                 "text": self.states[text].float(), "subject": self.subject[text], "t": t}
        return {name: part.to(self.device) for name, part in parts.items()}


def loss_of(unet, maps: list, batch: dict, table: torch.Tensor, noise: torch.Tensor):
    """Loss of a batch, and parts for the log: plain epsilon error and figure's clean-picture error of swaps."""
    source, target, mask = batch["source"], batch["target"], batch["mask"]
    a = table[batch["t"]][:, None, None, None]
    snr = (a / (1 - a)).flatten()
    noisy = (a.sqrt() * source + (1 - a).sqrt() * noise).contiguous(memory_format=torch.channels_last)
    wanted = noise + (a / (1 - a)).sqrt() * (source - target)
    maps.clear()
    with half(source.device):
        guess = unet(noisy, batch["t"], batch["text"], return_dict=False)[0]
    square = (guess.float() - wanted).pow(2)
    cells = 1 + FIGURE * mask
    error = (square * cells).mean((1, 2, 3)) / cells.mean((1, 2, 3))
    swapped = (source != target).flatten(1).any(1)
    gamma = torch.where(swapped, 1.0, GAMMA)
    named = (batch["subject"] > 0).float() * a.flatten()  # no word, or too much noise to see the figure: not taught
    taught = (misplaced(maps, batch["subject"], mask) * named).sum() / (named.sum() + 1e-6)
    loss = (error * weight_of(snr, gamma)).mean() + TAUGHT * taught
    mean = square.mean((1, 2, 3)).detach()
    parts = mean[~swapped].mean(), (mean / snr.clamp(min=0.1))[swapped].mean(), taught.detach()
    return loss, torch.stack([loss.detach(), *parts]).cpu()


def main() -> None:
    p = parser(__doc__, minutes=75, batch=16, lr=1e-3)
    p.add_argument("--swapped", type=float, default=0.5, help="share of counterfactual examples")
    p.add_argument("--named", type=float, default=0.0, help="share of the others whose caption names a pattern")
    p.add_argument("--patterns", nargs="+", choices=PATTERNS[1:], default=list(PATTERNS[1:]), help="repeat to weigh")
    args = p.parse_args()
    device = prepare(args)
    log, path = Log(args.run / "unet.log", args.rank), args.run / "unet.pt"
    unet = build_unet(args.preset).to(device, memory_format=torch.channels_last)
    maps = install(unet)
    ema = Ema(unet, 0.98)  # per average of the processes, not per step
    hidden, rest = split(unet, EDGES)
    opts = {"muon": Muon(hidden, args.lr),
            "adam": torch.optim.AdamW(rest, lr=args.lr, betas=(0.9, 0.99), weight_decay=0.01)}
    step, seen, clock, old = 0, 0, Clock(args.minutes), restore(path)
    if old:
        unet.load_state_dict(old["model"])
        ema.module.load_state_dict(old["ema"])
        step, seen, clock = old["step"], old["seen"], Clock(args.minutes, old["elapsed"])
        for name, state in old.get("optimizers", {}).items():
            opts[name].load_state_dict(state)
    rng = np.random.default_rng([args.seed, step, args.rank])
    batches, table = Batches(args.run, device, rng, args.swapped, args.named, args.patterns), alphas_cumprod().to(device)
    noise_rng = torch.Generator(device).manual_seed(args.seed + 7919 * (step + 1) + args.rank)
    weights = list(unet.parameters())
    synced = saved = time.time()
    over, running, fresh, averages = False, None, 0, 0
    log(f"{len(batches.latents)} latents, {sum(w.numel() for w in weights) / 1e6:.2f} M weights, from step {step}, "
        f"batch {args.batch} x {args.world}")
    while not over:
        for opt in opts.values():
            for group in opt.param_groups:
                group["lr"] = clock.rate(args.lr, step, 100)
        batch = batches.draw(args.batch)
        noise = torch.randn(batch["source"].shape, generator=noise_rng, device=device)
        loss, now = loss_of(unet, maps, batch, table, noise)
        unet.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        for opt in opts.values():
            opt.step()
        fresh += 1
        running = now if running is None else torch.where(now.isfinite(), 0.99 * running + 0.01 * now, running)
        if time.time() - synced < SYNC:
            continue
        over, together = average_weights(weights, clock.over, args.world, fresh)
        averages, step, seen = averages + 1, step + fresh, seen + together * args.batch
        fresh, synced = 0, time.time()
        ema.update(unet, averages)
        if averages % 6 == 0 or over:
            log(f"step {step} seen {seen} {clock.elapsed / 60:.1f} min loss {running[0]:.4f} plain {running[1]:.4f} "
                f"swapped {running[2]:.4f} misplaced {running[3]:.4f}")
        if args.rank == 0 and (time.time() - saved > 240 or over):
            save(path, model=unet.state_dict(), ema=ema.module.state_dict(), step=step, seen=seen,
                 elapsed=clock.elapsed, optimizers={name: opt.state_dict() for name, opt in opts.items()})
            saved = time.time()


if __name__ == "__main__":
    main()
