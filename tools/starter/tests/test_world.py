"""Renderer, captions, tokenizer and reserved identities are deterministic."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tokenizer import Tokenizer, train_merges  # noqa: E402
from world import captions, picture, scene  # noqa: E402
from world.figures import CLASSES  # noqa: E402

STARTER = Path(__file__).resolve().parents[3] / "public/models/starter"
DEMO = Path(__file__).resolve().parents[3] / "public/demo"


def test_a_seed_gives_one_scene_and_one_picture():
    a, b = scene.sample(7), scene.sample(7)
    assert a == b
    assert json.loads(json.dumps(a)) == a
    first, second = picture.picture(a, 64), picture.picture(b, 64)
    assert np.array_equal(first[0], second[0])
    assert first[0].dtype == np.uint8 and first[0].shape == (64, 64, 3)
    assert 0.05 < first[1].mean() < 0.6


@pytest.mark.parametrize("cls", CLASSES)
def test_a_true_edit_changes_the_figure_only(cls):
    base = scene.sample(11, cls="cat", place="wooden table")
    edit = scene.with_class(base, cls)
    assert edit["place"] == base["place"] and edit["figure"]["pose"] == base["figure"]["pose"]
    a, b = picture.picture(base, 64), picture.picture(edit, 64)
    corner = np.s_[:8, :8]
    assert np.array_equal(a[0][corner], b[0][corner])
    assert (cls == "cat") == np.array_equal(a[0], b[0])


def test_reserved_identities_never_occur_in_training():
    train = {scene.sample(i)["figure"]["identity"]["id"] for i in range(400)}
    held_out = {scene.sample(i, held_out=True)["figure"]["identity"]["id"] for i in range(400)}
    assert not train & held_out
    share = np.mean([scene.reserved(i) for i in range(6000)])
    assert 0.08 < share < 0.13


def test_pose_does_not_depend_on_the_class():
    assert scene.sample(5, cls="cat")["figure"]["pose"] == scene.sample(5, cls="car")["figure"]["pose"]


def test_captions_follow_the_grammar():
    s = scene.sample(3, cls="elephant", place="wooden table")
    s["figure"]["identity"].update(colour="orange", pattern="striped", accessory="hat", accessoryColour="blue")
    assert captions.caption(s) == "a photo of an elephant on a wooden table"
    assert captions.caption(s, colour=True) == "a photo of an orange elephant on a wooden table"
    assert captions.caption(s, colour=True, pattern=True, accessory=True) == (
        "a photo of a striped orange elephant with a blue hat on a wooden table")
    one, two = (captions.random_caption(s, np.random.default_rng(1)) for _ in range(2))
    assert one == two


def test_every_word_of_the_grammar_is_one_token():
    tok = Tokenizer(train_merges(captions.vocabulary_lines()))
    for line in captions.vocabulary_lines()[::97]:
        assert all(len(tok.word_ids(w)) == 1 for w in line.split())


def test_the_demo_scene_draws_the_demo_photo():
    from PIL import Image
    entry = json.loads((DEMO / "demo.json").read_text())
    drawn, _ = picture.picture(entry["scene"], 1024, 768)
    saved = np.asarray(Image.open(DEMO / entry["photo"])).astype(int)
    assert np.abs(saved - drawn).mean() < 3


def test_the_scene_hash_is_the_same_everywhere():
    text = json.dumps([scene.sample(i, held_out=bool(i % 2)) for i in range(20)], sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest() == "89aab324c6f7db942b44757bc16dddd25ca9c5490467f4a45ccb1671d78a6389"
