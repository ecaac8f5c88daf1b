"""The parts of training that a wrong sign or axis would spoil silently."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from attention import install, misplaced  # noqa: E402
from diffusers.models.attention_processor import AttnProcessor  # noqa: E402
from make_data import counterpart, make_scene, repatterned  # noqa: E402
from muon import Muon, orthogonal  # noqa: E402
from train_unet import TAUGHT, alphas_cumprod, build_unet, loss_of  # noqa: E402


@pytest.mark.parametrize("shape", [(16, 48), (48, 16), (32, 32)])
def test_muon_steps_are_nearly_orthogonal(shape):
    u = orthogonal(torch.randn(shape, generator=torch.Generator().manual_seed(0)), 5)
    values = torch.linalg.svdvals(u)
    assert 0.5 < values.min() and values.max() < 1.3


def test_muon_descends():
    target, p = torch.randn(8, 12, generator=torch.Generator().manual_seed(1)), torch.nn.Parameter(torch.zeros(8, 12))
    opt, losses = Muon([p], lr=0.2, weight_decay=0), []
    for _ in range(60):
        loss = (p - target).pow(2).mean()
        losses.append(loss.item())
        opt.zero_grad()
        loss.backward()
        opt.step()
    assert losses[-1] < 0.1 * losses[0]


def test_the_attention_for_training_is_the_library_s():
    torch.manual_seed(0)
    unet, x, t, context = build_unet("cpu"), torch.randn(2, 16, 16, 16), torch.tensor([10, 900]), torch.randn(2, 32, 128)
    unet.set_attn_processor(AttnProcessor())
    with torch.no_grad():
        expected = unet(x, t, context).sample
        maps = install(unet)
        assert torch.allclose(unet(x, t, context).sample, expected, atol=1e-5)
    assert {m.shape[2] for m in maps} == {64, 256} and torch.allclose(maps[0].sum(-1), torch.ones(()), atol=1e-5)


def test_attention_is_to_cover_the_figure_evenly():
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 4:8, 4:8] = 1
    even, eyes = torch.zeros(1, 2, 256, 5), torch.zeros(1, 2, 256, 5)
    even[..., 2] = mask.flatten()
    eyes[..., 5 * 16 + 5, 2] = 1
    at = torch.tensor([2])
    assert misplaced([even], at, mask).item() < 1e-3
    assert misplaced([even], at, 1 - mask).item() > 3 and misplaced([eyes], at, mask).item() > 3


def test_a_counterfactual_example_asks_for_the_noise_that_leads_to_the_other_figure():
    table, t = alphas_cumprod(), torch.tensor([300, 300])
    z, noise = torch.randn(2, 2, 16, 16, 16)
    source, target = z, torch.stack([z[0], z[1] + 1])
    a = table[t][:, None, None, None]

    class Perfect(torch.nn.Module):
        def forward(self, x, t, context, return_dict):
            return [(x - a.sqrt() * target) / (1 - a).sqrt()]

    batch = {"source": source, "target": target, "mask": torch.ones(2, 1, 16, 16), "text": torch.zeros(2, 32, 128),
             "subject": torch.zeros(2, dtype=torch.int64), "t": t}
    maps = FullMaps()
    loss, parts = loss_of(Perfect(), maps, batch, table, noise)
    assert loss.item() - TAUGHT * parts[3].item() < 1e-8 and parts[2].item() < 1e-8


class FullMaps(list):
    """One site of even attention, whatever clears it."""

    def clear(self):
        self[:] = [torch.full((2, 1, 256, 32), 1 / 32)]


def test_a_counterpart_shares_everything_but_the_figure_s_class_and_maybe_look():
    for i in range(6):
        one, other = make_scene(i, False), counterpart(i)
        assert one["place"] == other["place"] and one["figure"]["pose"] == other["figure"]["pose"]
        assert one["figure"]["class"] != other["figure"]["class"]
    looks = [make_scene(i, False)["figure"]["identity"] == counterpart(i)["figure"]["identity"] for i in range(60)]
    assert 0.25 < np.mean(looks) < 0.75


def test_a_scene_is_repatterned_and_otherwise_the_same():
    for i in range(12):
        one, other = make_scene(i, False), repatterned(i)
        old, new = one["figure"]["identity"].pop("pattern"), other["figure"]["identity"].pop("pattern")
        assert new not in (old, "plain") and one == other
