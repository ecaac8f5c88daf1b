"""The random model of src/training/tiny-model.ts in diffusers and transformers: weights follow from their names."""
import math, warnings

warnings.filterwarnings("ignore")
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from transformers import CLIPTextConfig, CLIPTextModel

L, VOCAB, BOS, WIDTH = 12, 517, 515, 16
CAT = 513  # id of the class word


def seed_of(name):
    h = 0
    for c in name: h = (h * 31 + ord(c)) % 2 ** 32
    return h


def start(name, p):
    normal = torch.randn(p.numel(), generator=torch.Generator().manual_seed(seed_of(name))).reshape(p.shape)
    matrix = p.ndim > 1
    spread = 1 / math.sqrt(p[0].numel()) if matrix else 0.1
    return (1.0 if not matrix and name.endswith(".weight") else 0.0) + spread * normal


def models():
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(16, 32), layers_per_block=1, down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2, cross_attention_dim=WIDTH, attention_head_dim=2, norm_num_groups=4)
    text = CLIPTextModel(CLIPTextConfig(
        hidden_size=WIDTH, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, vocab_size=VOCAB,
        max_position_embeddings=L, hidden_act="quick_gelu", eos_token_id=516))
    for n, p in unet.named_parameters(): p.data = start(n, p)
    for n, p in text.named_parameters(): p.data = start("text_model." + n.removeprefix("text_model."), p)
    unet.set_attn_processor(AttnProcessor())
    for m in (unet, text): m.eval().requires_grad_(False)
    return unet, text


def states(text, rows, ids):
    """text states with the learned row at id VOCAB"""
    table = torch.cat([text.get_input_embeddings().weight, rows])
    hook = text.get_input_embeddings().register_forward_hook(lambda *_: table[ids])
    try: return text(ids.clamp(max=VOCAB - 1)).last_hidden_state
    finally: hook.remove()
