"""Golden numbers of every personalisation method: three training steps of a tiny random model in PyTorch with diffusers.

usage: make_learning.py OUT.json     (src/personalization/golden/learning.json; torch 2.15, diffusers 0.42, transformers 5.23)

Model and feeds are the ones of src/training/tiny-model.ts and src/personalization/learning.test.ts: random numbers of
torch's generator, seeded by the weight's name or by 100 + step.
"""
import json, sys

import torch
from diffusers.models.attention_processor import CustomDiffusionAttnProcessor

from tiny_model import BOS, CAT, L, VOCAB, WIDTH, models, states

STEPS, ROWS = 3, 2


def feeds(step):
    g = torch.Generator().manual_seed(100 + step)
    x, target = (torch.randn(ROWS * 4 * 64, generator=g).reshape(ROWS, 4, 8, 8) for _ in range(2))
    weight = torch.rand(ROWS * 64, generator=g).reshape(ROWS, 1, 8, 8) / 256
    t = torch.randint(0, 1000, (ROWS,), generator=g)
    ids = torch.randint(0, VOCAB, (ROWS * L,), generator=g).reshape(ROWS, L)
    ids[:, 0] = BOS
    ids[:, 3] = VOCAB  # the learned word
    return x, target, weight, t, ids


def run(setup, lr):
    unet, text = models()
    row = text.get_input_embeddings().weight[CAT:CAT + 1].clone()
    trained, row = setup(unet, text, row)
    for p in trained.values(): p.requires_grad_(True)
    optimiser = torch.optim.AdamW(trained.values(), lr=lr, weight_decay=1e-2)
    losses, norms = [], []
    for step in range(STEPS):
        x, target, weight, t, ids = feeds(step)
        optimiser.zero_grad()
        loss = (weight * (unet(x, t, states(text, row, ids)).sample - target) ** 2).sum()
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)))
        losses.append(loss.item())
        optimiser.step()
    sums = {n: [float(p.detach().double().sum()), float(p.detach().double().square().sum())] for n, p in trained.items()}
    return {"losses": losses, "norms": norms, "sums": sums}


def textual_inversion(unet, text, row): return {"learned_tokens": row.requires_grad_()}, row


def dreambooth(unet, text, row): return dict(unet.named_parameters()), row


def dreambooth_text(unet, text, row):
    named = {"text_model." + n.removeprefix("text_model."): p for n, p in text.named_parameters()}
    table = [n for n in named if n.endswith("token_embedding.weight")]
    return {**dict(unet.named_parameters()), **{n: p for n, p in named.items() if n not in table}}, row


def dreambooth_lora(unet, text, row, rank=4, seed=5):
    targets = sorted(n for n, _ in unet.named_parameters() if n.endswith((".to_q.weight", ".to_k.weight", ".to_v.weight", ".to_out.0.weight")))
    trained = {}
    for i, name in enumerate(targets):
        layer = unet.get_submodule(name.removesuffix(".weight"))
        out, width = layer.weight.shape
        a = torch.randn(rank * width, generator=torch.Generator().manual_seed(seed + i)).reshape(rank, width) / rank
        b = torch.zeros(out, rank)
        layer.register_forward_hook(lambda m, x, y, a=a, b=b: y + x[0] @ a.T @ b.T)  # alpha = rank
        path = name.removesuffix(".weight")
        trained[f"{path}.lora_A.weight"], trained[f"{path}.lora_B.weight"] = a, b
    return trained, row


def custom_diffusion(unet, text, row):
    """diffusers' own attention processors, which drop the gradient of the first token"""
    trained, processors = {"learned_tokens": row.requires_grad_()}, {}
    for name in unet.attn_processors:
        path = name.removesuffix(".processor")
        attn = unet.get_submodule(path)
        cross = path.endswith("attn2")
        p = CustomDiffusionAttnProcessor(train_kv=cross, train_q_out=False, hidden_size=attn.to_q.weight.shape[0],
                                         cross_attention_dim=WIDTH if cross else None)
        if cross:
            for k in "kv":
                layer = getattr(p, f"to_{k}_custom_diffusion")
                layer.weight.data = getattr(attn, f"to_{k}").weight.clone()
                trained[f"{path}.to_{k}.weight"] = layer.weight
        processors[name] = p
    unet.set_attn_processor(processors)
    return trained, row


json.dump({"textual-inversion": run(textual_inversion, 2e-3), "dreambooth": run(dreambooth, 1e-3),
           "dreambooth-text": run(dreambooth_text, 1e-3), "dreambooth-lora": run(dreambooth_lora, 1e-2),
           "custom-diffusion": run(custom_diffusion, 1e-3)}, open(sys.argv[1], "w"))
