"""Draw the demo photos of public/demo from held-out scenes, and reference pictures of one held-out figure.

Example: python make_demo.py --out ../../public/demo
"""

import argparse
import json
from pathlib import Path

from PIL import Image
from world import picture, scene
from world.captions import caption

WIDTH, HEIGHT = 1024, 768
# file, seed, class, place, class after the edit
DEMOS = [
    ("cat-on-table", 4242, "cat", "wooden table", "bear"),
    ("bear-by-mirror", 4305, "bear", "mirror", "rabbit"),
    ("duck-on-beach", 4411, "duck", "beach", "cat"),
    ("mug-in-garden", 4425, "mug", "flower garden", "teapot"),
]
# One figure to learn: an identity that never occurs in training, in four places, poses and lights.
CONCEPT = {"name": "Miso", "classWord": "cat", "identity": 6046}
REFERENCES = [("beach", 7001), ("red sofa", 7002), ("grass", 7003), ("checkered floor", 7004)]
REFERENCE_SIDE = 256


def entry(name: str, seed: int, cls: str, place: str, target: str) -> dict:
    """What a page needs to run the edit; the centre square looks like the training pictures."""
    spec = scene.sample(seed, held_out=True, cls=cls, place=place)
    return {
        "photo": f"{name}.jpg", "square": {"x": (WIDTH - HEIGHT) // 2, "y": 0, "size": HEIGHT},
        "sourcePrompt": caption(spec), "targetPrompt": caption(scene.with_class(spec, target)),
        "seed": 0, "scene": spec,
    }


def concept(out: Path) -> dict:
    """Draw the reference pictures; what a page needs to offer them."""
    assert scene.reserved(CONCEPT["identity"])
    names = []
    for number, (place, seed) in enumerate(REFERENCES, 1):
        spec = scene.sample(seed, held_out=True, cls=CONCEPT["classWord"], place=place, identity_id=CONCEPT["identity"])
        image, _ = picture.picture(spec, REFERENCE_SIDE, REFERENCE_SIDE)
        names.append(f"{CONCEPT['name'].lower()}-{number}.jpg")
        Image.fromarray(image).save(out / names[-1], quality=92, subsampling=0)
    return {"name": CONCEPT["name"], "classWord": CONCEPT["classWord"], "pictures": names}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    entries = [entry(*demo) for demo in DEMOS]
    for e in entries:
        image, _ = picture.picture(e["scene"], WIDTH, HEIGHT)
        Image.fromarray(image).save(args.out / e["photo"], quality=90, subsampling=0)
    (args.out / "demo.json").write_text(json.dumps(entries[0], indent=2) + "\n")
    (args.out / "more.json").write_text(json.dumps(entries[1:], indent=2) + "\n")
    (args.out / "concept.json").write_text(json.dumps(concept(args.out), indent=2) + "\n")


if __name__ == "__main__":
    main()
