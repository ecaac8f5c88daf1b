"""What every training script shares: clock-based schedules, EMA, checkpoints, logs, CPU settings."""

import argparse
import copy
import math
import os
import time
from pathlib import Path

import torch
import torch.distributed as dist


def parser(description: str, minutes: float, batch: int, lr: float) -> argparse.ArgumentParser:
    """Options common to the training scripts."""
    p = argparse.ArgumentParser(description=description)
    p.add_argument("--run", type=Path, required=True, help="folder of data, checkpoints and logs")
    p.add_argument("--preset", default="cpu")
    p.add_argument("--minutes", type=float, default=minutes, help="total training time, resumed time included")
    p.add_argument("--batch", type=int, default=batch)
    p.add_argument("--lr", type=float, default=lr, help="peak learning rate")
    p.add_argument("--device", default="cpu")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--world", type=int, default=1, help="processes that train together (start one per rank)")
    p.add_argument("--rank", type=int, default=0)
    p.add_argument("--port", type=int, default=29511)
    p.add_argument("--limit", type=int, default=None, help="use this many scenes at most")
    return p


def prepare(args) -> torch.device:
    """Seed, threads and number formats; returns the device."""
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    if args.world > 1:
        dist.init_process_group("gloo", f"tcp://127.0.0.1:{args.port}", rank=args.rank, world_size=args.world)
    torch.backends.cuda.matmul.allow_tf32 = True
    return torch.device(args.device)


def average_gradients(parameters, over: bool, world: int) -> bool:
    """Average gradients over the processes; returns whether any of them says that time is over.

    One flat message a step: cheaper than splitting every operation over threads when cores are shared.
    """
    if world == 1:
        return over
    grads = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.flatten() for g in grads] + [torch.tensor([float(over)], device=grads[0].device)])
    dist.all_reduce(flat)
    at = 0
    for g in grads:
        g.copy_(flat[at:at + g.numel()].view_as(g) / world)
        at += g.numel()
    return bool(flat[-1] > 0)


@torch.no_grad()
def average_weights(parameters, over: bool, world: int, steps: int) -> tuple[bool, int]:
    """Average weights over the processes, each counting as much as the steps it did since the last call (local SGD).

    Called every few seconds, it lets each process use its own share of a busy machine instead of
    waiting for the slowest one at every step.

    :returns: whether any process says that time is over, and the steps that all did together
    """
    if world == 1:
        return over, steps
    tail = torch.tensor([float(steps), float(over)], device=parameters[0].device)
    flat = torch.cat([p.flatten() for p in parameters]) * steps
    dist.all_reduce(tail)
    dist.all_reduce(flat)
    at = 0
    for p in parameters:
        p.copy_(flat[at:at + p.numel()].view_as(p) / tail[0])
        at += p.numel()
    return bool(tail[1] > 0), int(tail[0])


def half_type(device: torch.device) -> torch.dtype:
    """bfloat16 on GPUs, and on CPUs that have it: two to three times as fast there, slower elsewhere."""
    fast = device.type != "cpu" or torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if fast else torch.float32


def half(device: torch.device):
    """Autocast to the device's `half_type`."""
    return torch.autocast(device.type, torch.bfloat16, enabled=half_type(device) == torch.bfloat16)


class Clock:
    """Training time in seconds over all resumed runs, and a learning rate that follows it."""

    def __init__(self, minutes: float, elapsed: float = 0.0):
        self.total, self.before, self.start = minutes * 60, elapsed, time.time()

    @property
    def elapsed(self) -> float:
        return self.before + time.time() - self.start

    @property
    def over(self) -> bool:
        return self.elapsed >= self.total

    def rate(self, peak: float, step: int, warmup: int = 100, floor: float = 0.02) -> float:
        """Linear warm-up in steps, then a cosine over the clock down to floor * peak."""
        share = min(1.0, self.elapsed / self.total)
        cosine = floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * share))
        return peak * min(1.0, (step + 1) / warmup) * cosine


class Ema:
    """Exponential moving average of a module's weights, warmed up."""

    def __init__(self, module: torch.nn.Module, decay: float):
        self.module, self.decay = copy.deepcopy(module).eval().requires_grad_(False), decay

    @torch.no_grad()
    def update(self, module: torch.nn.Module, step: int) -> None:
        d = min(self.decay, (1 + step) / (10 + step))
        for a, b in zip(self.module.parameters(), module.parameters(), strict=True):
            a.lerp_(b, 1 - d)


def save(path: Path, **parts) -> None:
    """Write a checkpoint so that a crash cannot leave half a file."""
    part = path.with_suffix(".part")
    torch.save(parts, part)
    os.replace(part, path)


def restore(path: Path):
    """The checkpoint at `path`, or None."""
    return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None


class Log:
    """Lines to standard output and to a file."""

    def __init__(self, path: Path, rank: int = 0):
        self.silent = rank > 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = path.open("a")

    def __call__(self, text: str) -> None:
        if self.silent:
            return
        line = f"{time.strftime('%H:%M:%S')} {text}"
        print(line, flush=True)
        self.file.write(line + "\n")
        self.file.flush()
