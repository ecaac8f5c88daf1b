"""Draw the evaluation's pictures: concepts, source scenes and the true edit of every pair.

Example: python tools/eval/make_data.py --set full --out DATA     (quick: tools/eval/quick, which is committed)

Only identities that occur in no training scene are used. Everything follows from the seed below, so the scenes are the
same on every machine. Needs the packages of tools/starter/requirements.txt.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "starter"))
from world import picture, scene  # noqa: E402
from world.figures import ANIMALS, OBJECTS  # noqa: E402

SEED, SIZE, IDENTITIES = 20241211, 128, 6000
# Concepts by class, in the order in which sets take them: every class once, then four animals again.
CLASSES = ("cat", "teapot", "dog", "elephant", "backpack", "rabbit", "car", "duck", "bear", "mug", "turtle", "boot",
           "cat", "dog", "bear", "rabbit")
# concepts; of these, with pairs; pairs; references and held-out pictures of a concept
SETS = {"quick": (5, 4, 12, 4, 2), "full": (16, 16, 70, 5, 4)}


def draw_identity(rng, taken: set, differs_from=()) -> int:
    """A held-out identity not used before, of another main colour than the given ones."""
    while True:
        number = scene.pick_identity(rng, True, IDENTITIES)
        if number not in taken and scene.identity(number)["colour"] not in differs_from:
            taken.add(number)
            return number


def views(name: str, cls: str, number: int, count: int, avoid=()) -> list:
    """Scenes of one figure, every one in another place."""
    out, k = [], 0
    places = set(avoid)
    while len(out) < count:
        s = scene.sample(scene.rng_for(SEED, name, k).integers(1 << 31), True, cls=cls, identity_id=number)
        k += 1
        if s["place"]["name"] not in places:
            places.add(s["place"]["name"])
            out.append(s)
    return out


def other_class(rng, cls: str) -> str:
    """Another class of the same kind: animals for animals, objects for objects."""
    kin = [c for c in (ANIMALS if cls in ANIMALS else OBJECTS) if c != cls]
    return kin[rng.integers(len(kin))]


class Writer:
    """Saves pictures and remembers what is in them."""

    def __init__(self, out: Path):
        self.out = out
        out.mkdir(parents=True, exist_ok=True)

    def save(self, name: str, pixels: np.ndarray) -> str:
        Image.fromarray(pixels).save(self.out / f"{name}.png", optimize=True)
        return f"{name}.png"

    def scene(self, name: str, s: dict) -> str:
        return self.save(name, picture.picture(s, SIZE)[0])


def write_pair(w: Writer, name: str, source: dict, concept: dict) -> dict:
    """Source, truth, and where the true edit may change the picture (white)."""
    truth = scene.with_class(scene.with_identity(source, concept["identity"]), concept["class"])
    (before, a), (after, b) = (picture.picture(s, SIZE) for s in (source, truth))
    changed = np.abs(before.astype(int) - after).max(-1) > 3
    mask = np.maximum(np.maximum(a, b), changed)
    return {
        "id": name, "concept": concept["id"], "source": w.save(f"{name}-source", before),
        "truth": w.save(f"{name}-truth", after), "mask": w.save(f"{name}-mask", np.round(mask * 255).astype(np.uint8)),
        "sourceClass": source["figure"]["class"],
        "template": f"a photo of {{}} {scene.PLACES[source['place']['name']]}", "scene": source,
    }


def make(name: str, out: Path) -> dict:
    count, paired, pairs, references, held_out = SETS[name]
    w, taken = Writer(out), set()
    concepts, distractors, edits = [], [], []
    for i, cls in enumerate(CLASSES[:count]):
        rng = scene.rng_for(SEED, "concept", i)
        number = draw_identity(rng, taken)
        drawn = views(f"concept-{i}", cls, number, SETS["full"][3] + SETS["full"][4])
        save = lambda part, s, i=i: w.scene(f"c{i:02d}-{part}", s)
        first = SETS["full"][3]
        concepts.append({
            "id": f"c{i:02d}", "class": cls, "identity": number,
            "references": [save(f"ref{k}", s) for k, s in enumerate(drawn[:references])],
            "heldOut": [save(f"out{k}", s) for k, s in enumerate(drawn[first:first + held_out])],
        })
    taken |= {c["identity"] for c in concepts}
    for j in range(pairs):
        i, k = j % paired, j // paired
        concept, rng = concepts[i], scene.rng_for(SEED, "pair", i, k)
        # two pairs of three keep the class, so that most edits are of one figure into another of its kind
        cls = other_class(rng, concept["class"]) if k % 3 == 2 else concept["class"]
        number = draw_identity(rng, taken, {scene.identity(concept["identity"])["colour"]})
        source, elsewhere = views(f"pair-{i}-{k}", cls, number, 2)
        pair = write_pair(w, f"p{i:02d}-{k}", source, concept)
        edits.append(pair)
        distractors.append({"id": f"{pair['id']}-figure", "class": cls, "identity": number,
                            "references": [w.scene(f"{pair['id']}-figure", elsewhere)]})
    return {"version": 1, "set": name, "seed": SEED, "size": SIZE, "classes": list(ANIMALS + OBJECTS), "concepts": concepts, "pairs": edits,
            "distractors": distractors}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=tuple(SETS), default="quick")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    data = make(args.set, args.out)
    (args.out / "data.json").write_text(json.dumps(data, indent=1) + "\n")
    print(f"{len(data['concepts'])} concepts, {len(data['pairs'])} pairs in {args.out}")


if __name__ == "__main__":
    main()
