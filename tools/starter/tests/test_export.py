"""The exported folder: layout, size, dtypes, and the same bytes from the same checkpoints."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from export import export  # noqa: E402
from tokenizer import Tokenizer  # noqa: E402

STARTER = Path(__file__).resolve().parents[3] / "public/models/starter"
PROMPTS = ["a photo of a cat on a wooden table", "An Orange dog's  hat, 42 times! über <new1> naïve"]


def digest(folder: Path) -> dict:
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest()
            for f in sorted(folder.rglob("*")) if f.is_file()}


def test_export_is_deterministic(tmp_path):
    for name in ("a", "b"):
        export(tmp_path / "no-run", tmp_path / name, "cpu")
    assert digest(tmp_path / "a") == digest(tmp_path / "b")


def test_the_folder_is_small_and_in_fp16():
    assert sum(f.stat().st_size for f in STARTER.rglob("*") if f.is_file()) < 32 * 2**20
    for path in STARTER.rglob("*.safetensors"):
        with safe_open(path, "pt") as f:
            assert all(f.get_tensor(k).dtype == torch.float16 for k in f.keys())  # noqa: SIM118


def test_it_loads_as_a_pipeline():
    from diffusers import StableDiffusionPipeline
    pipe = StableDiffusionPipeline.from_pretrained(STARTER, safety_checker=None, feature_extractor=None,
                                                   torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    image = pipe(PROMPTS[0], num_inference_steps=2, guidance_scale=2.0, output_type="np").images[0]
    assert image.shape == (128, 128, 3) and np.isfinite(image).all()


def test_the_tokenizer_agrees_with_the_library():
    from transformers import CLIPTokenizer
    ours, theirs = Tokenizer.load(STARTER / "tokenizer"), CLIPTokenizer.from_pretrained(STARTER / "tokenizer")
    for prompt in PROMPTS:
        assert ours(prompt).tolist() == theirs(prompt, padding="max_length", max_length=32, truncation=True).input_ids
    assert json.loads((STARTER / "tokenizer/vocab.json").read_text()) == ours.vocab
