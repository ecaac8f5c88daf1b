"""Sampling, inversion and DDS-SM editing with the starter, in PyTorch: the reference for tuning and evaluation."""

from dataclasses import dataclass

import torch
from diffusers.models.attention_processor import AttnProcessor
from train_unet import alphas_cumprod

T_MIN, T_MAX = 50, 948


@dataclass
class Settings:
    """How an edit runs; stepSize multiplies the masked score difference."""

    steps: int = 100
    step_size: float = 0.1
    guidance: float = 5.0
    t_min: int = T_MIN
    t_max: int = T_MAX
    mask_power: float = 1.0


class RecordingProcessor(AttnProcessor):
    """Plain attention that keeps cross-attention probabilities [B * heads, h * w, L] in `maps`."""

    def __init__(self, maps: list):
        super().__init__()
        self.maps = maps

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, *args, **kwargs):
        if encoder_hidden_states is not None:
            q = attn.head_to_batch_dim(attn.to_q(hidden_states))
            k = attn.head_to_batch_dim(attn.to_k(encoder_hidden_states))
            self.maps.append(attn.get_attention_scores(q, k))
        return super().__call__(attn, hidden_states, encoder_hidden_states, *args, **kwargs)


def record(unet) -> list:
    """Install recording processors; the returned list fills during forwards (clear it yourself)."""
    maps = []
    unet.set_attn_processor(RecordingProcessor(maps))
    return maps


def subject_map(maps: list, batch: int, rows: slice, tokens: torch.Tensor, side: int) -> torch.Tensor:
    """Mean over heads and 16x16 sites of the probability of a token; [n, 1, side, side] for the chosen rows."""
    total, sites = 0.0, 0
    for m in maps:
        if m.shape[1] != side * side:
            continue
        heads = m.shape[0] // batch
        m = m.view(batch, heads, side * side, -1).mean(1)[rows]
        total = total + torch.gather(m, 2, tokens[:, None, None].expand(-1, side * side, 1))[..., 0]
        sites += 1
    return (total / sites).view(-1, 1, side, side)


@torch.no_grad()
def predict(unet, x, t, context, empty, guidance):
    """Guided noise prediction; x [B, C, h, w], t int64 [B], context [B, L, D], empty [1, L, D]."""
    if guidance == 1:
        return unet(x, t, context, return_dict=False)[0]
    both = torch.cat([empty.expand(len(x), -1, -1), context])
    off, on = unet(torch.cat([x, x]), torch.cat([t, t]), both, return_dict=False)[0].chunk(2)
    return off + guidance * (on - off)


def grid(steps: int) -> list[int]:
    """Leading timesteps with offset 1, increasing (SD's DDIM grid)."""
    return [i * (1000 // steps) + 1 for i in range(steps)]


@torch.no_grad()
def ddim(unet, x, context, empty, guidance=3.0, steps=50, invert=False):
    """DDIM (eta 0) from noise to latents, or the inversion when `invert`."""
    table, times = alphas_cumprod(), grid(steps)
    path = list(zip(times, times[1:], strict=False)) if invert else list(zip(times[::-1], times[-2::-1], strict=False))
    if not invert:
        path.append((times[0], None))
    else:
        path = [(None, times[0]), *path]
    for now, then in path:
        a0 = table[0] if now is None else table[now]
        a1 = table[0] if then is None else table[then]
        t = torch.full((len(x),), times[0] if now is None else now, dtype=torch.int64)
        eps = predict(unet, x, t, context, empty, guidance)
        clean = (x - (1 - a0).sqrt() * eps) / a0.sqrt()
        x = a1.sqrt() * clean + (1 - a1).sqrt() * eps
    return x


@torch.no_grad()
def dds_sm(unet, source, context_source, context_target, empty, tokens, s: Settings, seed=0):
    """Masked delta denoising of a batch; the source branch stays on the unedited latents.

    :param source: latents [B, C, h, w]; `tokens` [B]: position of the subject word in the source prompt
    :returns: edited latents and the soft masks [B, 1, h, w], max 1
    """
    table, rng = alphas_cumprod(), torch.Generator().manual_seed(seed)
    maps, n, side = record(unet), len(source), source.shape[-1]
    z, seen = source.clone(), torch.zeros(n, 1, side, side)
    for _ in range(s.steps):
        t = torch.randint(s.t_min, s.t_max + 1, (n,), generator=rng)
        noise = torch.randn(source.shape, generator=rng)
        a = table[t][:, None, None, None]
        low = a.sqrt() * source + (1 - a).sqrt() * noise
        high = a.sqrt() * z + (1 - a).sqrt() * noise
        maps.clear()
        e = empty.expand(n, -1, -1)
        out = unet(torch.cat([low, low, high, high]), t.repeat(4), torch.cat([e, context_source, e, context_target]),
                   return_dict=False)[0]
        so, sc, to, tc = out.chunk(4)
        seen += subject_map(maps, 4 * n, slice(n, 2 * n), tokens, side)
        mask = (seen / seen.amax((2, 3), keepdim=True)) ** s.mask_power
        delta = (to + s.guidance * (tc - to)) - (so + s.guidance * (sc - so))
        z = z - s.step_size * mask * delta
    maps.clear()
    unet.set_attn_processor(AttnProcessor())
    return z, mask
