"""Golden numbers of PyTorch's optimisers on a two-layer network with gradient clipping.

usage: make_optimisers.py OUT.json        (src/training/golden/optimisers.json; made with torch 2.15)
"""
import json, sys
import torch

STEPS, CLIP = 20, 0.5


def run(make):
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(8, 5, generator=g), torch.randn(8, 3, generator=g)
    first = {"w1": torch.randn(6, 5, generator=g) / 2, "b1": torch.randn(6, generator=g) / 2, "w2": torch.randn(3, 6, generator=g) / 2}
    w = {k: torch.nn.Parameter(v.clone()) for k, v in first.items()}
    optimiser, losses, norms = make(w.values()), [], []
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss = ((torch.tanh(x @ w["w1"].T + w["b1"]) @ w["w2"].T - y) ** 2).mean()
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(w.values(), CLIP)))
        losses.append(loss.item())
        optimiser.step()
    flat = lambda t: t.detach().flatten().tolist()
    return {"x": flat(x), "y": flat(y), "first": {k: flat(v) for k, v in first.items()},
            "last": {k: flat(v) for k, v in w.items()}, "losses": losses, "norms": norms}


json.dump({"steps": STEPS, "clip": CLIP,
           "adamw": run(lambda p: torch.optim.AdamW(p, lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2)),
           "sgd": run(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-3)),
           "plain": run(lambda p: torch.optim.SGD(p, lr=0.1))}, open(sys.argv[1], "w"))
