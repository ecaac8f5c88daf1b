"""The judge: a small convnet that names class, place, colour and pattern; trained on its own renders.

Example: python classifier.py --run RUN --minutes 8
Resumes from RUN/judge.pt. It learns from every render but those of held-out figures, which it is tested on.
`python classifier.py --run RUN --export ../eval` writes what the evaluation in TypeScript reads of it.
"""

import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from make_data import load
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from train_common import Clock, Log, half, parser, prepare, restore, save
from world.figures import CLASSES
from world.scene import COLOURS, PATTERNS, PLACES

HEADS = {"class": list(CLASSES), "place": list(PLACES), "colour": list(COLOURS), "pattern": list(PATTERNS)}


class Judge(nn.Module):
    """Pictures [B, 3, 128, 128] in [-1, 1] to logits per head."""

    def __init__(self):
        super().__init__()
        layers, width = [], 3
        for i, w in enumerate((40, 64, 96, 128)):
            layers += [nn.Conv2d(width, w, 5 if i == 0 else 3, stride=2, padding=2 if i == 0 else 1,
                                 bias=False), nn.BatchNorm2d(w), nn.ReLU()]
            if i > 0:
                layers += [nn.Conv2d(w, w, 3, padding=1, bias=False), nn.BatchNorm2d(w), nn.ReLU()]
            width = w
        self.body = nn.Sequential(*layers, nn.Conv2d(128, 192, 3, padding=1), nn.ReLU())
        self.heads = nn.ModuleDict({k: nn.Linear(192 * 2, len(v)) for k, v in HEADS.items()})

    def forward(self, x):
        h = self.body(F.avg_pool2d(x, 2))  # 64 pixels are enough to name things, and four times cheaper
        h = torch.cat([h.mean((2, 3)), h.amax((2, 3))], 1)
        return {k: head(h) for k, head in self.heads.items()}


def labels(scenes: list) -> dict:
    """Head name to class indices, int64 [N]."""
    def look(s):
        ident = s["figure"]["identity"]
        return {"class": s["figure"]["class"], "place": s["place"]["name"], "colour": ident["colour"],
                "pattern": ident["pattern"]}

    rows = [look(s) for s in scenes]
    return {k: torch.tensor([names.index(r[k]) for r in rows]) for k, names in HEADS.items()}


def renders(folder, limit) -> tuple[torch.Tensor, dict]:
    """Pictures uint8 [N, 3, S, S] and their labels, of every split that is there and is not held out."""
    splits = [s for s in ("train", "pair", "pattern", "judge") if any(folder.glob(f"{s}-*.npz"))]
    parts = [load(folder, s, limit) for s in splits]
    scenes = [scene for part in parts for scene in part[2]]
    return torch.from_numpy(np.concatenate([part[0] for part in parts])).permute(0, 3, 1, 2), labels(scenes)


@torch.no_grad()
def judge(model: Judge, images: torch.Tensor) -> dict:
    """Head name to the most likely index [N]; images [N, 3, 128, 128] in [-1, 1]."""
    parts = [model(x) for x in images.split(64)]
    return {k: torch.cat([p[k] for p in parts]).argmax(1) for k in HEADS}


def load_judge(run) -> Judge:
    """The trained judge, in evaluation mode."""
    model = Judge()
    model.load_state_dict(torch.load(run / "judge.pt", map_location="cpu", weights_only=True)["model"])
    return model.eval()


@torch.no_grad()
def export(model: Judge, folder: Path) -> None:
    """FOLDER/judge.safetensors: convolutions in order with their normalisation folded in, and the head of classes, fp16.

    FOLDER/golden/judge.json: logits of two pictures of FOLDER/quick, by the network as it was trained.
    """
    state, i = {}, 0
    for layer, after in zip(model.body, [*model.body[1:], None], strict=True):
        if not isinstance(layer, nn.Conv2d):
            continue
        conv = torch.nn.utils.fuse_conv_bn_eval(layer, after) if isinstance(after, nn.BatchNorm2d) else layer
        state |= {f"body.{i}.weight": conv.weight.half(), f"body.{i}.bias": conv.bias.half()}
        i += 1
    head = model.heads["class"]
    state |= {"class.weight": head.weight.half(), "class.bias": head.bias.half()}
    state = {k: v.contiguous() for k, v in state.items()}
    save_file(state, folder / "judge.safetensors", {"classes": json.dumps(HEADS["class"])})
    golden = {}
    for name in ("p00-0-truth.png", "p03-2-source.png"):
        x = torch.from_numpy(np.array(Image.open(folder / "quick" / name).convert("RGB"))).permute(2, 0, 1)[None]
        golden[name] = [round(v, 4) for v in model(x.float() / 127.5 - 1)["class"][0].tolist()]
    (folder / "golden/judge.json").write_text(json.dumps(golden) + "\n")


def main() -> None:
    p = parser(__doc__, minutes=8, batch=32, lr=2e-3)
    p.add_argument("--export", type=Path, help="write the trained judge to this folder instead of training")
    args = p.parse_args()
    if args.export:
        export(load_judge(args.run), args.export)
        return
    device = prepare(args)
    log, path = Log(args.run / "judge.log"), args.run / "judge.pt"
    model = Judge().to(device, memory_format=torch.channels_last)
    opt = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.01)
    step, clock, old = 0, Clock(args.minutes), restore(path)
    if old:
        model.load_state_dict(old["model"])
        opt.load_state_dict(old["optimizer"])
        step, clock = old["step"], Clock(args.minutes, old["elapsed"])
    images, truth = renders(args.run / "data", args.limit)
    rng, saved, over = np.random.default_rng([args.seed, step]), time.time(), False
    log(f"{len(images)} pictures, from step {step}")
    while not over:
        for group in opt.param_groups:
            group["lr"] = clock.rate(args.lr, step)
        pick = torch.from_numpy(rng.integers(len(images), size=args.batch))
        x = images[pick].float() / 127.5 - 1
        if rng.random() < 0.5:
            x = x.flip(-1)
        dy, dx = rng.integers(-8, 9, size=2)
        x = F.pad(x, (8, 8, 8, 8), mode="replicate")[:, :, 8 + dy:136 + dy, 8 + dx:136 + dx]
        x = x + torch.randn_like(x) * 0.05 * rng.random()
        with half(device):
            out = model(x.to(device, memory_format=torch.channels_last))
        loss = sum(F.cross_entropy(out[k].float(), truth[k][pick].to(device)) for k in HEADS)
        opt.zero_grad()
        loss.backward()
        opt.step()
        step, over = step + 1, clock.over
        if step % 50 == 0:
            right = {k: (out[k].argmax(1).cpu() == truth[k][pick]).float().mean().item() for k in HEADS}
            log(f"step {step} {clock.elapsed / 60:.1f} min loss {loss.item():.3f} "
                + " ".join(f"{k} {v:.2f}" for k, v in right.items()))
        if time.time() - saved > 60 or over:
            save(path, model=model.state_dict(), optimizer=opt.state_dict(), step=step, elapsed=clock.elapsed)
            saved = time.time()


if __name__ == "__main__":
    main()
