"""Train the UNet on cached latents: weighted epsilon loss, attention taught by the figure's mask, Muon, EMA.

Example, two processes: for r in 0 1; do python train_unet.py --run RUN --world 2 --rank $r & done
Resumes from RUN/unet.pt; `--minutes` counts earlier runs.
"""

import time

import numpy as np
import torch
from attention import install, outside_share
from diffusers import UNet2DConditionModel
from muon import Muon, split
from presets import PRESETS
from train_common import Clock, Ema, Log, average_weights, half, parser, prepare, restore, save

DROP = 0.1  # share of empty captions
SYNC = 10.0  # seconds between averages of the processes' weights
GAMMA = 5.0  # Hang et al. 2023, arXiv:2303.09556: at low noise, weight gamma / SNR for epsilon prediction
FIGURE = 3.0  # extra weight of the figure's cells: places are learned long before toys
TAUGHT = 0.05  # weight of the attention loss
EDGES = ("conv_in", "conv_out", "time_embedding")  # first and last layers are Adam's (see muon.py)


def alphas_cumprod() -> torch.Tensor:
    """Stable Diffusion's scaled-linear schedule, float32 [1000]."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, 0).float()


def build_unet(preset: str) -> UNet2DConditionModel:
    """UNet of a preset."""
    return UNet2DConditionModel(**PRESETS[preset]["unet"])


def weight_of(snr: torch.Tensor) -> torch.Tensor:
    """Weight of the epsilon loss: gamma / SNR where there is little noise, 1 / sqrt(SNR) where there is much.

    Plain epsilon loss nearly ignores high noise, where it is decided what the picture shows.
    """
    return torch.where(snr < 1, snr.rsqrt(), snr.clamp(max=GAMMA) / snr)


class Batches:
    """Random training batches from RUN's caches."""

    def __init__(self, run, device, rng):
        self.latents = torch.from_numpy(np.load(run / "latents.npy"))
        self.masks = torch.from_numpy(np.load(run / "masks.npy"))
        caches = np.load(run / "captions.npz")
        self.states, self.subject = torch.from_numpy(caches["states"]), torch.from_numpy(caches["subject"]).long()
        self.rows, self.device, self.rng = caches["rows"], device, rng

    def draw(self, size: int):
        """Latents [B, C, h, w], masks [B, 1, h, w], text states [B, L, D], subject positions [B], timesteps [B]."""
        pick = self.rng.integers(len(self.latents), size=size)
        text = self.rows[pick % len(self.rows), self.rng.integers(self.rows.shape[1], size=size)]
        text = torch.from_numpy(np.where(self.rng.random(size) < DROP, 0, text)).long()
        pick = torch.from_numpy(pick)
        # Stratified timesteps: every batch covers the whole range.
        t = torch.from_numpy(((np.arange(size) + self.rng.random(size)) / size * 1000).astype(np.int64))
        parts = (self.latents[pick].float(), self.masks[pick][:, None].float() / 255, self.states[text].float(),
                 self.subject[text], t)
        return [p.to(self.device) for p in parts]


def loss_of(unet, maps: list, batch, table: torch.Tensor, noise: torch.Tensor, device):
    """Loss of a batch, and its parts for the log: plain epsilon error, share of attention outside the figure."""
    z, mask, context, subject, t = batch
    a = table[t][:, None, None, None]
    noisy = (a.sqrt() * z + (1 - a).sqrt() * noise).contiguous(memory_format=torch.channels_last)
    maps.clear()
    with half(device):
        guess = unet(noisy, t, context, return_dict=False)[0]
    square = (guess.float() - noise).pow(2)
    cells = 1 + FIGURE * mask
    error = (square * cells).mean((1, 2, 3)) / cells.mean((1, 2, 3))
    named = (subject > 0).float() * a.flatten()  # no word, or too much noise to see the figure: nothing to teach
    outside = outside_share(maps, subject, mask)
    taught = (outside * named).sum() / (named.sum() + 1e-6)
    loss = (error * weight_of((a / (1 - a)).flatten())).mean() + TAUGHT * taught
    return loss, square.mean().item(), taught.item()


def main() -> None:
    p = parser(__doc__, minutes=75, batch=24, lr=2e-3)
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
    batches, table = Batches(args.run, device, rng), alphas_cumprod().to(device)
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
        noise = torch.randn(batch[0].shape, generator=noise_rng, device=device)
        loss, plain, taught = loss_of(unet, maps, batch, table, noise, device)
        unet.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        for opt in opts.values():
            opt.step()
        fresh += 1
        now = torch.tensor([loss.item(), plain, taught])
        running = now if running is None else 0.99 * running + 0.01 * now
        if time.time() - synced < SYNC:
            continue
        over, together = average_weights(weights, clock.over, args.world, fresh)
        averages, step, seen = averages + 1, step + fresh, seen + together * args.batch
        fresh, synced = 0, time.time()
        ema.update(unet, averages)
        if averages % 6 == 0 or over:
            log(f"step {step} seen {seen} {clock.elapsed / 60:.1f} min loss {running[0]:.4f} plain {running[1]:.4f} "
                f"outside {running[2]:.4f}")
        if args.rank == 0 and (time.time() - saved > 240 or over):
            save(path, model=unet.state_dict(), ema=ema.module.state_dict(), step=step, seen=seen,
                 elapsed=clock.elapsed, optimizers={name: opt.state_dict() for name, opt in opts.items()})
            saved = time.time()


if __name__ == "__main__":
    main()
