"""A small grammar of captions."""

import numpy as np

from .figures import ANIMALS, CLASSES
from .scene import COLOURS, PATTERNS, PLACES

WORDS = {"patched": "patched", "striped": "striped", "spotted": "spotted"}
EXTRA = {"none": "", "scarf": " with a {} scarf", "hat": " with a {} hat", "bow tie": " with a {} bow tie"}


def article(phrase: str) -> str:
    """'a' or 'an' as the first letter asks."""
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def subject(figure: dict, colour=False, pattern=False, accessory=False, verb=False) -> str:
    """Noun phrase of a figure, with the asked-for words."""
    ident, words = figure["identity"], []
    if pattern and ident["pattern"] != "plain":
        words.append(ident["pattern"])
    if colour:
        words.append(ident["colour"])
    text = article(" ".join([*words, figure["class"]]))
    if accessory and ident["accessory"] != "none":
        text += EXTRA[ident["accessory"]].format(ident["accessoryColour"])
    if verb and figure["class"] in ANIMALS:
        text += " " + figure["pose"]["stance"]
    return text


def caption(scene: dict, place=True, **words) -> str:
    """The caption with chosen detail, for example 'a photo of a cat on a wooden table'."""
    text = "a photo of " + subject(scene["figure"], **words)
    return f"{text} {PLACES[scene['place']['name']]}" if place else text


def random_caption(scene: dict, rng: np.random.Generator) -> str:
    """A training caption: half plain, half with detail; the place is nearly always named."""
    detail = rng.random(5)
    if detail[4] < 0.34:
        return caption(scene, place=rng.random() < 0.92)
    return caption(scene, place=rng.random() < 0.94, colour=detail[0] < 0.72, pattern=detail[1] < 0.66,
                   accessory=detail[2] < 0.45, verb=detail[3] < 0.25)


def vocabulary_lines() -> list[str]:
    """Every word and common phrase, for training the tokenizer."""
    lines = []
    for cls in CLASSES:
        for words in PLACES.values():
            for colour in COLOURS:
                for pattern in ("", *PATTERNS[1:]):
                    lines.append(f"a photo of {article(f'{pattern} {colour} {cls}'.strip())} {words}")
            for verb in ("sitting", "standing"):
                lines.append(f"a photo of {article(cls)} {verb} {words}")
    for extra in ("scarf", "hat", "bow tie"):
        lines += [f"a photo of {article(c)} {k} with a {k} {extra}" for c in CLASSES for k in COLOURS]
    return lines
