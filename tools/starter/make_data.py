"""Render a data set in shards: uint8 pictures, coverage masks and scene JSON lines.

Example: python make_data.py --out RUN/data --split train --count 20000 --part 0/2
Shards that exist are kept, so an interrupted call continues where it stopped.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from world import picture, scene
from world.figures import CLASSES

SHARD = 500
# First scene number by split: the judge (classifier) sees other renders than the starter, test only held-out figures.
# "pair" holds, for each scene of "train", the same scene with another figure; "pattern" with another pattern on it.
FIRST = {"train": 0, "pair": 0, "pattern": 0, "judge": 1 << 22, "test": 0}


def make_scene(index: int, held_out: bool) -> dict:
    """Scene number `index`; neighbours 2k and 2k + 1 show the same figure in another pose and place."""
    pair = scene.sample(index // 2 + (1 << 24), held_out)
    figure = pair["figure"]
    return scene.sample(index, held_out, cls=figure["class"], identity_id=figure["identity"]["id"])


def counterpart(index: int) -> dict:
    """Training scene number `index` with a figure of another class, which half of the time keeps its look."""
    one, rng = make_scene(index, False), scene.rng_for("counterpart", index)
    other = scene.with_class(one, str(rng.choice([c for c in CLASSES if c != one["figure"]["class"]])))
    return other if rng.random() < 0.5 else scene.with_identity(other, scene.pick_identity(rng, False, 6000))


def repatterned(index: int) -> dict:
    """Training scene number `index` with another pattern on the figure, never none."""
    one, rng = make_scene(index, False), scene.rng_for("repatterned", index)
    old = one["figure"]["identity"]["pattern"]
    return scene.with_pattern(one, str(rng.choice([p for p in scene.PATTERNS[1:] if p != old])))


def scene_of(split: str, index: int) -> dict:
    """Scene number `index` of a split."""
    other = {"pair": counterpart, "pattern": repatterned}.get(split)
    return other(index) if other else make_scene(index, split == "test")


def make_shard(path: Path, first: int, count: int, split: str, size: int) -> None:
    """Write `path`.npz (images [n, S, S, 3], masks [n, S, S]) and `path`.jsonl."""
    numbers = range(first, first + count)
    scenes = [scene_of(split, i) for i in numbers]
    drawn = [picture.picture(s, size) for s in scenes]
    path.with_suffix(".jsonl").write_text("".join(json.dumps(s) + "\n" for s in scenes))
    images = np.stack([d[0] for d in drawn])
    masks = np.stack([np.round(d[1] * 255).astype(np.uint8) for d in drawn])
    part = path.with_suffix(".part.npz")
    np.savez(part, images=images, masks=masks)
    part.rename(path.with_suffix(".npz"))


def load(folder: Path, split: str, limit: int | None = None):
    """Images uint8 [N, S, S, 3], masks uint8 [N, S, S] and scenes of the shards that exist."""
    files = sorted(Path(folder).glob(f"{split}-*[0-9].npz"))[: None if limit is None else -(-limit // SHARD)]
    if not files:
        raise SystemExit(f"no {split} shards in {folder}: run make_data.py first")
    parts = [np.load(f) for f in files]
    scenes = [json.loads(line) for f in files for line in f.with_suffix(".jsonl").read_text().splitlines()]
    return np.concatenate([p["images"] for p in parts]), np.concatenate([p["masks"] for p in parts]), scenes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", choices=tuple(FIRST), default="train")
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--size", type=int, default=128, help="pixels")
    parser.add_argument("--part", default="0/1", help="k/n: this process draws every n-th shard from k")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    k, n = map(int, args.part.split("/"))
    for shard in range(k, -(-args.count // SHARD), n):
        path = args.out / f"{args.split}-{shard:04d}"
        if path.with_suffix(".npz").exists():
            continue
        first = shard * SHARD
        make_shard(path, FIRST[args.split] + first, min(SHARD, args.count - first), args.split, args.size)
        print(path.name, flush=True)


if __name__ == "__main__":
    main()
