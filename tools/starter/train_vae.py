"""Fit the encoder (principal components, once) and train the decoder on random 64-pixel crops.

Example: python train_vae.py --run RUN --minutes 25
Resumes from RUN/vae.pt; `--minutes` counts earlier runs.
"""

import time

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, AutoencoderTiny
from make_data import load
from presets import PRESETS
from principal import set_encoder
from train_common import Clock, Ema, Log, average_gradients, half, parser, prepare, restore, save

CROP = 64  # pixels


def build(preset: str) -> torch.nn.Module:
    """The autoencoder of a preset."""
    config = dict(PRESETS[preset]["vae"])
    vae = {"tiny": AutoencoderTiny, "kl": AutoencoderKL}[config.pop("kind")](**config)
    if isinstance(vae, AutoencoderTiny):
        keep_variance(vae)
    return vae


@torch.no_grad()
def keep_variance(vae: torch.nn.Module) -> None:
    """He initialisation, residual branches damped: without norms the default one fades over the depth."""
    for module in vae.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                module.bias.zero_()
    for name, module in vae.named_modules():
        if name.endswith("conv.4"):
            module.weight.mul_(0.25)
    for last in (vae.encoder.layers[-1], vae.decoder.layers[-1]):
        last.weight.mul_(0.5)


def encode(vae, x):
    """Images [B, 3, H, W] in [-1, 1] to latents [B, C, H/8, W/8] (means)."""
    out = vae.encode(x)
    return out.latents if hasattr(out, "latents") else out.latent_dist.mean


def ssim(a, b, window: int = 7):
    """Mean structural similarity with a flat window; images in [-1, 1]."""
    def mean(x):
        return F.avg_pool2d(x, window, 1)

    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    return (((2 * ma * mb + c1) * (2 * cov + c2)) / ((ma * ma + mb * mb + c1) * (va + vb + c2))).mean()


def crops(images: torch.Tensor, batch: int, rng: np.random.Generator, size: int) -> torch.Tensor:
    """Random flipped crops of uint8 images [N, 3, S, S] as floats in [-1, 1]."""
    s, out = images.shape[-1], []
    for i in rng.integers(len(images), size=batch):
        y, x = rng.integers(s - size + 1, size=2)
        crop = images[i, :, y:y + size, x:x + size]
        out.append(crop.flip(-1) if rng.random() < 0.5 else crop)
    return torch.stack(out).float() / 127.5 - 1


@torch.no_grad()
def psnr(vae, images: torch.Tensor, device) -> float:
    """Mean PSNR in dB over uint8 images [N, 3, S, S]."""
    total = 0.0
    for x in images.split(8):
        x = x.to(device).float() / 127.5 - 1
        y = vae.decode(encode(vae, x)).sample.clamp(-1, 1)
        total += (-10 * torch.log10(((x - y) / 2).pow(2).mean((1, 2, 3)))).sum().item()
    return total / len(images)


def main() -> None:
    p = parser(__doc__, minutes=25, batch=16, lr=2e-3)
    p.add_argument("--crop", type=int, default=CROP)
    args = p.parse_args()
    device = prepare(args)
    log, path = Log(args.run / "vae.log", args.rank), args.run / "vae.pt"
    images = torch.from_numpy(load(args.run / "data", "train", args.limit)[0]).permute(0, 3, 1, 2)
    probe, images = images[:16], images[32:]
    vae, old = build(args.preset), restore(path)
    if not old:
        set_encoder(vae, images)
    vae.encoder.requires_grad_(False)
    vae = vae.to(device, memory_format=torch.channels_last)
    weights = list(vae.decoder.parameters())
    opt, ema = torch.optim.Adam(weights, lr=args.lr, betas=(0.9, 0.99)), Ema(vae, 0.998)
    step, clock = 0, Clock(args.minutes)
    if old:
        vae.load_state_dict(old["model"])
        ema.module.load_state_dict(old["ema"])
        if "optimizer" in old:  # adopted weights come without
            opt.load_state_dict(old["optimizer"])
        step, clock = old["step"], Clock(args.minutes, old["elapsed"])
    log(f"{len(images)} pictures, from step {step}, {clock.elapsed / 60:.1f} of {args.minutes} min")
    rng = np.random.default_rng([args.seed, step, args.rank])
    over = False
    saved = time.time()
    while not over:
        for group in opt.param_groups:
            group["lr"] = clock.rate(args.lr, step)
        x = crops(images, args.batch, rng, args.crop).to(device, memory_format=torch.channels_last)
        with torch.no_grad():
            z = encode(vae, x)
        with half(device):
            y = vae.decode(z).sample
        y = y.float()
        loss = F.l1_loss(y, x) + 0.1 * (1 - ssim(y, x))
        opt.zero_grad()
        loss.backward()
        over = average_gradients(weights, clock.over, args.world)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        opt.step()
        ema.update(vae, step)
        step += 1
        if step % 100 == 0:
            with torch.no_grad():
                now = -10 * torch.log10(((y - x) / 2).pow(2).mean()).item()
            log(f"step {step} {clock.elapsed / 60:.1f} min loss {loss.item():.4f} crop PSNR {now:.2f} dB "
                f"latent std {z.std().item():.3f}")
        if args.rank == 0 and (time.time() - saved > 180 or over):
            log(f"step {step} EMA PSNR on whole pictures {psnr(ema.module, probe, device):.2f} dB")
            save(path, model=vae.state_dict(), ema=ema.module.state_dict(), optimizer=opt.state_dict(), step=step,
                 elapsed=clock.elapsed)
            saved = time.time()


if __name__ == "__main__":
    main()
