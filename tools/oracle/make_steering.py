"""Golden numbers of steering: PyTorch's autograd of the same surrogate losses on the tiny random model.

usage: make_steering.py OUT.json     (src/steering/golden/steering.json; torch 2.15, diffusers 0.42, transformers 5.23)

`objective`: loss, metrics and gradients of EDSD + mode shifting (METHOD.md E2-E7) for every form. 'true' differentiates
(E2) itself through the second call, whose weights are held fixed, divided by c(t). `guidance`: PatchNCE (E8) on the
decoder's self-attention outputs and its gradient with respect to the latent.
"""
import json, math, sys

import torch

from tiny_model import BOS, CAT, L, VOCAB, WIDTH, models, states

EDSD, LAMBDA, WEIGHT, GAMMA = 1.3, 0.7, 0.8, 0.2
VARIANTS = {
    "dds": {}, "sds-plus": {"step": "sds", "jacobian": "plus"}, "ddim": {"step": "ddim"}, "none": {"step": "none"},
    "true": {"jacobian": "true"}, "guided": {"w": 3.0}, "v": {"type": "v_prediction"},
}
BETAS = torch.linspace(0.00085 ** 0.5, 0.012 ** 0.5, 1000, dtype=torch.float64) ** 2
ALPHA_BAR = torch.cumprod(1 - BETAS, 0)
level = lambda t: (ALPHA_BAR[t].sqrt().item(), (1 - ALPHA_BAR[t]).sqrt().item())


def objective(step="dds", jacobian="minus", w=1.0, type="epsilon"):
    unet, text = models()
    row = text.get_input_embeddings().weight[CAT:CAT + 1].clone()
    trained = {n: p for n, p in unet.named_parameters() if n.endswith(("attn2.to_k.weight", "attn2.to_v.weight", "conv1.weight"))}
    trained["learned_tokens"] = row
    for p in trained.values(): p.requires_grad_(True)

    g = torch.Generator().manual_seed(300)
    x, target = (torch.randn(n * 256, generator=g).reshape(n, 4, 8, 8) for n in (2, 1))
    weight = torch.rand(64, generator=g).reshape(1, 1, 8, 8) / 256
    reference, noise = (torch.randn(256, generator=g).reshape(1, 4, 8, 8) for _ in range(2))
    t = torch.randint(0, 1000, (2,), generator=g)
    ids = torch.randint(0, VOCAB, (3 * L,), generator=g).reshape(3, L)
    ids[:, 0] = BOS
    ids[:2, 3] = VOCAB  # the learned word, in all but the empty prompt

    st = states(text, row, ids)
    prompt, empty = st[:1].detach(), st[2:].detach()
    t0 = t[0].item()

    def to_noise(out, at, latent):
        if type == "epsilon": return out
        alpha, sigma = level(at)
        return alpha * out + sigma * latent

    def fixed(latent, at):
        """guided noise without gradients of weights"""
        call = lambda c: to_noise(unet(latent, torch.tensor([at]), c).sample, at, latent)
        return call(prompt) if w == 1 else (1 - w) * call(empty) + w * call(prompt)

    out = unet(x, t, st[:2]).sample
    a = to_noise(out[:1], t0, x[:1])
    if w != 1:
        with torch.no_grad(): none = to_noise(unet(x[:1], t[:1], empty).sample, t0, x[:1])
        a = (1 - w) * none + w * a
    alpha, sigma = level(t0)
    at, rate = t0, GAMMA * alpha
    if step == "dds": base = x[:1] + rate * reference
    if step == "sds": base = x[:1] + rate * noise
    if step == "none": base, rate = x[:1], 0.0
    if step == "ddim":
        at = max(0, t0 - round(GAMMA * 1000))
        alpha2, sigma2 = level(at)
        base, rate = alpha2 / alpha * x[:1], alpha2 / alpha * sigma - sigma2
    with torch.no_grad(): delta = fixed(base - rate * a, at) - reference
    if jacobian == "true":
        # the second call's weights are constants: differentiate it with respect to the latent alone
        edited = (base - rate * a).detach().requires_grad_(True)
        for p in trained.values(): p.requires_grad_(False)
        loss_e2 = 0.5 * ((fixed(edited, at) - reference) ** 2).mean()
        (back,) = torch.autograd.grad(loss_e2, edited)
        for p in trained.values(): p.requires_grad_(True)
        # chain through x̂ = base − rate·A, over c = rate
        ed = WEIGHT * (back.detach() * -a).sum()
    else: ed = WEIGHT * ((delta if jacobian == "minus" else -delta) * a).mean()
    ms = (weight * (out[1:] - target) ** 2).sum()
    loss = EDSD * ed + LAMBDA * ms
    grads = dict(zip(trained, torch.autograd.grad(loss, trained.values())))
    sums = {n: [float(d.double().sum()), float(d.double().square().sum())] for n, d in grads.items()}
    return {"loss": loss.item(), "delta2": float((delta ** 2).mean()), "gap": float(((a - reference) ** 2).mean()),
            "modeShift": ms.item(), "norm": math.sqrt(sum(s for _, s in sums.values())), "sums": sums}


def guidance(patches=6, tau=0.07):
    unet, _ = models()
    sites = [n for n, _ in unet.named_modules() if n.startswith("up_blocks") and n.endswith("attn1")]
    seen = {}
    for n in sites: unet.get_submodule(n).register_forward_hook(lambda m, i, o, n=n: seen.__setitem__(n, o))
    g = torch.Generator().manual_seed(301)
    latents = torch.randn(512, generator=g).reshape(2, 1, 4, 8, 8)
    contexts = torch.randn(2 * L * WIDTH, generator=g).reshape(2, 1, L, WIDTH)
    with torch.no_grad(): unet(latents[0], torch.tensor([400]), contexts[0])
    source = dict(seen)
    x = latents[1].clone().requires_grad_(True)
    out = unet(x, torch.tensor([400]), contexts[1]).sample
    draw = torch.Generator().manual_seed(302)
    loss = 0.0
    for n in seen:
        for p in (1, 2):
            maps = []
            for h in (source[n], seen[n]):
                side = math.isqrt(h.shape[1])
                m = h.transpose(1, 2).reshape(1, -1, side, side)
                if p > 1: m = torch.nn.functional.avg_pool2d(m, p)
                maps.append(m.flatten(2)[0].T)
            count = maps[0].shape[0]
            at = torch.randperm(count, generator=draw)[:min(patches, count)]
            q, k = ((m[at] / (m[at].norm(dim=1, keepdim=True) + 1e-7)) for m in maps)
            logits = q @ k.T / tau
            loss = loss + torch.nn.functional.cross_entropy(logits, torch.arange(len(at)))
    (grad,) = torch.autograd.grad(loss, x)
    return {"loss": loss.item(), "output": [float(out.sum()), float(out.square().sum())],
            "gradient": [round(v, 7) for v in grad.flatten().tolist()]}


json.dump({"objective": {name: objective(**v) for name, v in VARIANTS.items()}, "guidance": guidance()}, open(sys.argv[1], "w"))
