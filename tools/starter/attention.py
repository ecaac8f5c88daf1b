"""Attention for training on CPUs: fused self-attention, and cross-attention that can be taught where a word looks."""

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import Attention


class SelfAttention:
    """softmax(QK)V: one call in float32, separate products in bfloat16, whichever a CPU trains faster."""

    def __call__(self, attn: Attention, hidden_states, encoder_hidden_states=None, attention_mask=None, **_):
        source = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        batch, heads = len(hidden_states), attn.heads

        def split(x):
            return x.view(batch, x.shape[1], heads, -1).transpose(1, 2)

        q, k, v = split(attn.to_q(hidden_states)), split(attn.to_k(source)), split(attn.to_v(source))
        out = self.mix(attn, q, k, v).transpose(1, 2).reshape(batch, hidden_states.shape[1], -1)
        return attn.to_out[1](attn.to_out[0](out))

    def mix(self, attn, q, k, v):
        if q.dtype == torch.bfloat16 and q.device.type == "cpu":  # the fused backward is two to ten times slower here
            return (q @ k.transpose(-1, -2) * attn.scale).softmax(-1) @ v
        return F.scaled_dot_product_attention(q, k, v, scale=attn.scale)


class TaughtAttention(SelfAttention):
    """Cross-attention that keeps its probabilities [B, N, h * w, L] in `maps`."""

    def __init__(self, maps: list):
        self.maps = maps

    def mix(self, attn, q, k, v):
        p = (q @ k.transpose(-1, -2) * attn.scale).softmax(-1)
        self.maps.append(p)
        return p @ v


def install(unet) -> list:
    """Set both processors; the returned list fills with cross-attention maps during forwards (clear it yourself)."""
    maps = []
    unet.set_attn_processor({name: TaughtAttention(maps) if ".attn2." in name else SelfAttention()
                             for name in unet.attn_processors})
    return maps


def misplaced(maps: list, subject: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """How far the subject word's attention is from an even cover of the figure, per picture, averaged over sites and heads.

    The Kullback-Leibler divergence from the mask to the map, both as distributions over the cells. Counting only what
    falls outside (Wang et al. 2024, "TokenCompose", arXiv:2312.03626, eq. 3) was tried: all attention went to the eyes.

    :param maps: probabilities [B, N, h * w, L] per site
    :param subject: position of the word [B]
    :param mask: coverage of the figure in [0, 1], [B, 1, H, W]
    :returns: [B], at least 0, in nats
    """
    total = 0.0
    for p in maps:
        side = int(p.shape[2] ** 0.5)
        cover = F.adaptive_avg_pool2d(mask, side).flatten(1)[:, None] + 1e-6  # [B, 1, h * w]
        cover = cover / cover.sum(-1, keepdim=True)
        at = subject[:, None, None, None].expand(-1, p.shape[1], p.shape[2], 1)
        word = torch.gather(p, 3, at)[..., 0] + 1e-6  # [B, N, h * w]
        word = word / word.sum(-1, keepdim=True)
        total = total + (cover * (cover.log() - word.log())).sum(-1).mean(1)
    return total / len(maps)
