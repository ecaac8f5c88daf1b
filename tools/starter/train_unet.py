"""Train the UNet on cached latents: epsilon loss with min-SNR weights, 10 % empty captions, EMA.

Example, three processes: for r in 0 1 2; do python train_unet.py --run RUN --world 3 --rank $r & done
Resumes from RUN/unet.pt; `--minutes` counts earlier runs.
"""

import time

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from presets import PRESETS
from train_common import Clock, Ema, Log, average_weights, half, parser, prepare, restore, save

DROP = 0.1  # share of empty captions
SYNC = 10  # steps between averages of the processes' weights
GAMMA = 5.0  # Hang et al. 2023, arXiv:2303.09556: weight min(SNR, gamma) / SNR for epsilon prediction


def alphas_cumprod() -> torch.Tensor:
    """Stable Diffusion's scaled-linear schedule, float32 [1000]."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, 0).float()


def build_unet(preset: str) -> UNet2DConditionModel:
    """UNet of a preset; plain attention, whose backward pass is faster on CPUs than the fused one."""
    unet = UNet2DConditionModel(**PRESETS[preset]["unet"])
    unet.set_attn_processor(AttnProcessor())
    return unet


def main() -> None:
    p = parser(__doc__, minutes=75, batch=16, lr=1e-3)
    args = p.parse_args()
    device = prepare(args)
    log, path = Log(args.run / "unet.log", args.rank), args.run / "unet.pt"
    unet = build_unet(args.preset).to(device, memory_format=torch.channels_last)
    ema = Ema(unet, 0.98)  # per average of the processes, not per step
    opt = torch.optim.AdamW(unet.parameters(), lr=args.lr, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    step, seen, clock, old = 0, 0, Clock(args.minutes), restore(path)
    if old:
        unet.load_state_dict(old["model"])
        ema.module.load_state_dict(old["ema"])
        opt.load_state_dict(old["optimizer"])
        step, seen, clock = old["step"], old["seen"], Clock(args.minutes, old["elapsed"])
    latents = torch.from_numpy(np.load(args.run / "latents.npy"))
    caches = np.load(args.run / "captions.npz")
    states, rows = torch.from_numpy(caches["states"]), caches["rows"]
    table, count = alphas_cumprod().to(device), len(rows)
    rng = np.random.default_rng([args.seed, step, args.rank])
    noise_rng = torch.Generator(device).manual_seed(args.seed + 7919 * (step + 1) + args.rank)
    weights, saved, over, running = list(unet.parameters()), time.time(), False, None
    log(f"{len(latents)} latents, {sum(w.numel() for w in weights) / 1e6:.2f} M weights, from step {step}, "
        f"batch {args.batch} x {args.world}")
    while not over:
        for group in opt.param_groups:
            group["lr"] = clock.rate(args.lr, step, 100)
        pick = rng.integers(len(latents), size=args.batch)
        text = rows[pick % count, rng.integers(rows.shape[1], size=args.batch)]
        text = np.where(rng.random(args.batch) < DROP, 0, text)
        z = latents[torch.from_numpy(pick)].float().to(device)
        context = states[torch.from_numpy(text)].float().to(device)
        # Stratified timesteps: every batch covers the whole range.
        t = (np.arange(args.batch) + rng.random(args.batch)) / args.batch * 1000
        t = torch.from_numpy(t.astype(np.int64)).to(device)
        noise = torch.randn(z.shape, generator=noise_rng, device=device)
        a = table[t][:, None, None, None]
        noisy = (a.sqrt() * z + (1 - a).sqrt() * noise).contiguous(memory_format=torch.channels_last)
        with half(device):
            guess = unet(noisy, t, context, return_dict=False)[0]
        snr = (a / (1 - a)).flatten()
        error = (guess.float() - noise).pow(2).mean((1, 2, 3))
        loss = (error * snr.clamp(max=GAMMA) / snr).mean()
        opt.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        opt.step()
        step, seen = step + 1, seen + args.batch * args.world
        if step % SYNC == 0:
            over = average_weights(weights, clock.over, args.world)
            ema.update(unet, step // SYNC)
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if step % 50 == 0:
            log(f"step {step} seen {seen} {clock.elapsed / 60:.1f} min loss {running:.4f} plain {error.mean().item():.4f}")
        if args.rank == 0 and step % SYNC == 0 and (time.time() - saved > 240 or over):
            save(path, model=unet.state_dict(), ema=ema.module.state_dict(), optimizer=opt.state_dict(), step=step,
                 seen=seen, elapsed=clock.elapsed)
            saved = time.time()


if __name__ == "__main__":
    main()
