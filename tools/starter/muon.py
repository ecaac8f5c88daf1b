"""Muon: momentum whose matrix is replaced by its nearest orthogonal one; learns from fewer pictures than Adam.

Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; the step is scaled as in Liu et al. 2025,
arXiv:2502.16982, so that it has the size of an Adam step and can share Adam's learning rate.
"""

import torch
from train_common import half_type

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonal(g: torch.Tensor, iterations: int) -> torch.Tensor:
    """Newton-Schulz iteration towards the orthogonal factor of g [m, n]; singular values end near 1."""
    a, b, c = COEFFICIENTS
    x = g.T if g.shape[0] > g.shape[1] else g
    x = (x / (x.norm() + 1e-7)).to(half_type(g.device))
    for _ in range(iterations):
        s = x @ x.T
        x = a * x + (b * s + c * s @ s) @ x
    return (x.T if g.shape[0] > g.shape[1] else x).to(g.dtype)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised. Convolutions count as matrices [out, in * k * k]."""

    def __init__(self, params, lr, momentum=0.95, weight_decay=0.01, iterations=4):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay,
                                  "iterations": iterations})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                m = state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                g = p.grad.lerp(m, group["momentum"])
                u = orthogonal(g.flatten(1), group["iterations"])
                size = 0.2 * max(u.shape) ** 0.5
                p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(u.view_as(p), alpha=group["lr"] * size)


def split(module: torch.nn.Module, edges: tuple) -> tuple[list, list]:
    """Parameters for Muon (hidden matrices) and for Adam (vectors, and layers whose name starts with one of `edges`)."""
    hidden, rest = [], []
    for name, p in module.named_parameters():
        (hidden if p.ndim >= 2 and not name.startswith(edges) else rest).append(p)
    return hidden, rest
