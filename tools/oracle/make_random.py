"""Golden numbers for src/util/random.test.ts, drawn by torch's CPU generator.

torch 2.15.0 (AVX2 kernels). Run: python tools/oracle/make_random.py
"""
import json
import pathlib
import torch

out = pathlib.Path(__file__).resolve().parents[2] / "src/util/golden/random.json"
out.parent.mkdir(exist_ok=True)
floats = lambda t: [float(f"{v:.9g}") for v in t.flatten().tolist()]


def draw(g, call):
    kind, *args = call
    if kind == "randn":
        return floats(torch.randn(args[0], generator=g))
    if kind == "rand":
        return floats(torch.rand(args[0], generator=g))
    if kind == "randint":
        return torch.randint(args[0], args[1], (args[2],), generator=g).tolist()
    if kind == "randperm":
        return torch.randperm(args[0], generator=g).tolist()


cases = []
mixed = [
    ["randn", 5], ["randn", 16], ["randn", 1], ["rand", 3], ["randn", 20], ["randn", 2], ["randint", 50, 949, 6],
    ["randn", 17], ["randperm", 9], ["randn", 15], ["randint", -7, 2**28 - 8, 3], ["rand", 18], ["randn", 100],
    ["randn", 1], ["randint", 0, 1000, 4],
]  # fmt: skip
for seed in (0, 42, -1, 2**32 + 42, 2**63 + 12345678901, 0xFFFF_FFFF_FFFF_FFFF):
    g = torch.Generator().manual_seed(seed)
    calls = mixed if seed in (0, 2**63 + 12345678901) else [["randn", n] for n in (1, 5, 15, 16, 17, 20)]
    cases.append({"seed": str(seed), "calls": [{"call": c, "values": draw(g, c)} for c in calls]})

# a whole Stable Diffusion latent: its ends, and sums that any wrong value moves
latents = []
for seed in (0, 1234567890123):
    x = torch.randn((1, 4, 64, 64), generator=torch.Generator().manual_seed(seed)).flatten()
    weights = torch.arange(1, x.numel() + 1, dtype=torch.float64)
    latents.append(
        {
            "seed": str(seed),
            "first": floats(x[:20]),
            "last": floats(x[-20:]),
            "sum": x.double().sum().item(),
            "weighted": (x.double() * weights).sum().item(),
            "squares": (x.double() ** 2).sum().item(),
        }
    )
out.write_text(json.dumps({"cases": cases, "latents": latents}, separators=(",", ":")))
