"""Golden distances for src/metrics/lpips.ts: the `lpips` package on small backbones of torchvision's layout.

usage: make_lpips.py     (writes src/metrics/golden/lpips.json; torch 2.15, lpips 0.1.4; torchvision is not needed)

Real weights are not involved: backbones have few channels, and every weight and picture comes from torch's generator,
seeded by its name, as src/metrics/lpips.test.ts repeats it. Keys of the whole module are listed for the key layout.
"""
import json, math, pathlib, sys, types

import torch
from torch import nn

models = types.ModuleType("torchvision.models")
sys.modules["torchvision"] = types.ModuleType("torchvision")
sys.modules["torchvision"].models = sys.modules["torchvision.models"] = models
import lpips  # noqa: E402  (its torchvision is the module above)

W = {"alex": (5, 6, 7, 6, 4), "vgg": (3, 4, 5, 6, 4), "squeeze": 3}
H, WIDTH = 50, 70


def pool(side, ceil=False): return nn.MaxPool2d(side, 2, ceil_mode=ceil)


def alexnet():
    a, b, c, d, e = W["alex"]
    relu = nn.ReLU
    return nn.Sequential(nn.Conv2d(3, a, 11, 4, 2), relu(), pool(3), nn.Conv2d(a, b, 5, padding=2), relu(), pool(3),
                         nn.Conv2d(b, c, 3, padding=1), relu(), nn.Conv2d(c, d, 3, padding=1), relu(),
                         nn.Conv2d(d, e, 3, padding=1), relu(), pool(3))


def vgg16():
    layers, last = [], 3
    for width, count in zip(W["vgg"], (2, 2, 3, 3, 3)):
        for _ in range(count):
            layers += [nn.Conv2d(last, width, 3, padding=1), nn.ReLU()]
            last = width
        layers.append(pool(2))
    return nn.Sequential(*layers)


class Fire(nn.Module):
    def __init__(self, width, squeeze, one, three):
        super().__init__()
        self.squeeze, self.expand1x1 = nn.Conv2d(width, squeeze, 1), nn.Conv2d(squeeze, one, 1)
        self.expand3x3 = nn.Conv2d(squeeze, three, 3, padding=1)

    def forward(self, x):
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x).relu(), self.expand3x3(x).relu()], 1)


def squeezenet():
    s = W["squeeze"]
    fire = lambda width: Fire(width, 2, s, s + 1)
    f = 2 * s + 1
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), pool(3, True), fire(4), fire(f), pool(3, True), fire(f),
                         fire(f), pool(3, True), fire(f), fire(f), fire(f), fire(f))


BACKBONES = {"alex": alexnet, "vgg": vgg16, "squeeze": squeezenet}
TV = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}


def seed_of(name):
    h = 0
    for c in name: h = (h * 31 + ord(c)) % 2 ** 32
    return h


def start(name, shape):
    normal = torch.randn(math.prod(shape), generator=torch.Generator().manual_seed(seed_of(name))).reshape(shape)
    if name.startswith("lin"): return normal.abs()  # heads are not negative
    return normal / math.sqrt(math.prod(shape[1:])) if len(shape) > 1 else 0.1 * normal


def picture(seed):
    return torch.rand(3 * H * WIDTH, generator=torch.Generator().manual_seed(seed)).reshape(1, 3, H, WIDTH) * 2 - 1


golden = {}
for name, build in BACKBONES.items():
    features = build()
    setattr(models, TV[name], lambda pretrained=False, features=features: types.SimpleNamespace(features=features))
    m = lpips.LPIPS(net=name, pretrained=False, pnet_rand=True, use_dropout=True, verbose=False).eval()
    torchvision = {f"features.{k}": v for k, v in features.state_dict().items()}
    for key, tensor in torchvision.items(): tensor.copy_(start(key, tensor.shape))
    heads = {}
    with torch.no_grad():
        for k, feature in enumerate(m.net(picture(1))):
            m.lins[k].model[-1] = nn.Conv2d(feature.shape[1], 1, 1, bias=False)
            key = f"lin{k}.model.1.weight"
            heads[key] = start(key, (1, feature.shape[1], 1, 1))
            m.lins[k].model[-1].weight.copy_(heads[key])
        golden[name] = {
            "distance": m(picture(1), picture(2)).item(),
            "shapes": {k: list(v.shape) for k, v in {**torchvision, **heads}.items()},
            "moduleKeys": [k for k in m.state_dict() if not k.startswith("lin") or k.startswith("lins.")],
        }
out = pathlib.Path(__file__).resolve().parents[2] / "src/metrics/golden/lpips.json"
out.write_text(json.dumps(golden))
print({k: v["distance"] for k, v in golden.items()}, out.stat().st_size, "bytes")
