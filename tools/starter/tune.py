"""Try edit settings on a few held-out scenes and print the rows, best last.

Example: python tune.py --run RUN --model ../../public/models/starter --n 24
"""

import argparse
import itertools
import json
from pathlib import Path

import torch
from classifier import load_judge
from editing import Settings
from evaluate import SWAPS, Starter, rate_edits, true_edits
from make_data import load
from world.scene import with_class


def score(row: dict) -> float:
    """One number to rank by: the three edit targets, each capped where it is met."""
    return (min(row["new_class"] / 0.8, 1.1) + min(row["outside_db"] / 28, 1.05) + min(row["nearer_to_truth"] / 0.8, 1.1))


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--run", type=Path, required=True)
    p.add_argument("--model", type=Path, required=True)
    p.add_argument("--n", type=int, default=24)
    p.add_argument("--steps", type=int, nargs="+", default=[60])
    p.add_argument("--step-size", type=float, nargs="+", default=[0.05, 0.1, 0.2])
    p.add_argument("--guidance", type=float, nargs="+", default=[3.0, 6.0])
    p.add_argument("--power", type=float, nargs="+", default=[1.0])
    p.add_argument("--t-min", type=int, nargs="+", default=[50])
    p.add_argument("--t-max", type=int, nargs="+", default=[948])
    args = p.parse_args()
    torch.set_num_threads(1)
    images, masks, scenes = load(args.run / "data", "test")
    # From the end of the held-out scenes, so that the reported scenes are others.
    images = torch.from_numpy(images[-args.n:]).permute(0, 3, 1, 2).float() / 127.5 - 1
    masks, scenes = torch.from_numpy(masks[-args.n:])[:, None].float() / 255, scenes[-args.n:]
    m, net = Starter(args.model), load_judge(args.run)
    truth = true_edits([with_class(s, SWAPS[s["figure"]["class"]]) for s in scenes])
    rows = []
    for steps, size, w, power, low, high in itertools.product(args.steps, args.step_size, args.guidance, args.power,
                                                              args.t_min, args.t_max):
        row, _ = rate_edits(m, net, images, masks, scenes, Settings(steps, size, w, low, high, power), truth)
        rows.append(row)
        print(f"{score(row):.3f}", json.dumps(row), flush=True)
    print("best", json.dumps(max(rows, key=score)))


if __name__ == "__main__":
    main()
