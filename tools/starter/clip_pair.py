"""The CLIP-style pair: text tower, vision tower, and loading the trained weights.

`python clip_pair.py RUN` freezes the text tower for the UNet.
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from presets import TEXT, VISION
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPVisionConfig, CLIPVisionModelWithProjection


def text_tower(vocab_size: int) -> CLIPTextModelWithProjection:
    """Text tower whose last two ids are BOS and EOS; EOS also pads."""
    config = CLIPTextConfig(**TEXT, vocab_size=vocab_size, bos_token_id=vocab_size - 2, eos_token_id=vocab_size - 1,
                            pad_token_id=vocab_size - 1)
    return CLIPTextModelWithProjection(config)


def vision_tower() -> CLIPVisionModelWithProjection:
    """Vision tower of 128-pixel pictures, 16-pixel patches."""
    return CLIPVisionModelWithProjection(CLIPVisionConfig(**VISION))


def embed_images(tower, images: torch.Tensor) -> torch.Tensor:
    """Images [B, 3, 128, 128] in [-1, 1] to unit vectors [B, D]."""
    return F.normalize(tower(pixel_values=images).image_embeds.float(), dim=-1)


def embed_texts(tower, ids: torch.Tensor) -> torch.Tensor:
    """Token ids [B, L] to unit vectors [B, D]."""
    return F.normalize(tower(input_ids=ids).text_embeds.float(), dim=-1)


@torch.no_grad()
def hidden_states(tower, ids: torch.Tensor) -> torch.Tensor:
    """Token ids [B, L] to the states the UNet attends to, [B, L, D] after the final layer norm."""
    return tower(input_ids=ids).last_hidden_state


def load_pair(run: Path, vocab_size: int):
    """Trained towers in evaluation mode: RUN/clip.pt, the text tower from RUN/text.pt once it is frozen."""
    state = torch.load(run / "clip.pt", map_location="cpu", weights_only=True)
    text, vision = text_tower(vocab_size), vision_tower()
    frozen = run / "text.pt"
    text.load_state_dict(torch.load(frozen, weights_only=True) if frozen.exists() else state["ema_text"])
    vision.load_state_dict(state["ema_vision"])
    return text.eval(), vision.eval()


def freeze_text(run: Path) -> None:
    """Copy the text tower to RUN/text.pt: from then on the UNet and the vision tower build on it."""
    torch.save(torch.load(run / "clip.pt", map_location="cpu", weights_only=True)["ema_text"], run / "text.pt")


if __name__ == "__main__":
    freeze_text(Path(sys.argv[1]))
