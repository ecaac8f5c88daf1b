"""Golden numbers of Prompt-to-Prompt and null-text inversion on the tiny random UNet, with PyTorch and diffusers.

usage: make_p2p.py OUT.json     (src/editing/golden/p2p.json; torch 2.15, diffusers 0.42)

Follows google/prompt-to-prompt (null_text_w_ptp.ipynb, seq_aligner.py; Apache-2.0): batch [empty source, empty target, source,
target], attention of the latter half edited by processors, maps kept as edited, LocalBlend on their sum. Differences, named in
src/editing/alignment.ts: tokens behind a replaced word and padding are paired by place. The network is the one of
src/training/tiny-model.ts.
"""
import json, sys, warnings

warnings.filterwarnings("ignore")
import numpy as np, torch, torch.nn.functional as F
from diffusers import DDIMScheduler, UNet2DConditionModel

torch.set_num_threads(1)
L, WIDTH, N, W = 12, 16, 5, 3.0
CROSS, SELF, BLEND_START, THRESHOLD, EQUALISER = 0.5, 0.4, 0.2, 0.8, 1.5
INNER, RATE, TOLERANCE = 3, 1e-2, 1e-5


def seed_of(name):
    h = 0
    for c in name: h = (h * 31 + ord(c)) % 2 ** 32
    return h


def start(name, p):  # as make_learning.py
    normal = torch.randn(p.numel(), generator=torch.Generator().manual_seed(seed_of(name))).reshape(p.shape)
    matrix = p.ndim > 1
    spread = 1 / np.sqrt(p[0].numel()) if matrix else 0.1
    return (1.0 if not matrix and name.endswith(".weight") else 0.0) + spread * normal


def randn(seed, *shape):
    return torch.randn(int(np.prod(shape)), generator=torch.Generator().manual_seed(seed)).reshape(shape)


# ---- seq_aligner.py ----
def replacement_mapper(x, y):
    """x, y: lists of (word, token count); one start token before"""
    places = lambda words: [np.arange(1 + sum(n for _, n in words[:k]), 1 + sum(n for _, n in words[:k + 1])) for k in range(len(words))]
    px, py = places(x), places(y)
    changed = [k for k in range(len(x)) if x[k][0] != y[k][0]]
    mapper = np.zeros((L, L)); i = j = cur = 0
    while i < L and j < L:
        if cur < len(changed) and px[changed[cur]][0] == i:
            source, target = px[changed[cur]], py[changed[cur]]
            if len(source) == len(target): mapper[source, target] = 1
            else:
                for t in target: mapper[source, t] = 1 / len(target)
            cur += 1; i += len(source); j += len(target)
        else:
            mapper[i, j] = 1; i += 1; j += 1  # Google: [j, j] behind the last changed word
    while j < L: mapper[L - 1, j] = 1; j += 1
    return mapper


def refinement_mapper(x, y):
    """x, y: token ids with start and end"""
    matrix, trace = np.zeros((len(x) + 1, len(y) + 1)), np.zeros((len(x) + 1, len(y) + 1), int)
    trace[0, 1:], trace[1:, 0] = 1, 2
    for i in range(1, len(x) + 1):
        for j in range(1, len(y) + 1):
            left, up = matrix[i, j - 1], matrix[i - 1, j]
            diagonal = matrix[i - 1, j - 1] + (1 if x[i - 1] == y[j - 1] else -1)
            matrix[i, j] = max(left, up, diagonal)
            trace[i, j] = 1 if matrix[i, j] == left else 2 if matrix[i, j] == up else 3
    i, j, pairs = len(x), len(y), []
    while i > 0 or j > 0:
        if trace[i, j] == 3: i, j = i - 1, j - 1; pairs.append((j, i))
        elif trace[i, j] == 1: j -= 1; pairs.append((j, -1))
        else: i -= 1
    mapper, alphas = np.zeros((L, L)), np.ones(L)
    for j, i in pairs:
        if i < 0: alphas[j] = 0
        else: mapper[i, j] = 1
    for j in range(len(y), L): mapper[min(len(x) + j - len(y), L - 1), j] = 1  # Google: [j, j]
    return mapper, alphas


# ---- attention control ----
class Control:
    def __init__(self, mapper, alphas, equaliser):
        self.mapper, self.alphas, self.equaliser = (torch.tensor(v, dtype=torch.float32) for v in (mapper, alphas, equaliser))
        self.step, self.store, self.sites = 0, None, []

    def __call__(self, probs, cross):
        heads = probs.shape[0] // 4
        probs = probs.clone()
        edited = probs[2 * heads:].reshape(2, heads, *probs.shape[1:])  # a view
        base, target = edited[0], edited[1].clone()
        if cross:
            if self.step < int(CROSS * (N + 1)):
                refined = (base @ self.mapper) * self.alphas + target * (1 - self.alphas)
                edited[1] = refined * self.equaliser
            self.sites.append(edited)
        elif self.step < int(SELF * N) and probs.shape[1] <= 32 ** 2:
            edited[1] = base
        return probs

    def between_steps(self):
        kept = torch.cat([site for site in self.sites if site.shape[2] == 64], 1)
        self.store = kept if self.store is None else self.store + kept
        self.sites, self.step = [], self.step + 1

    def blend(self, x, words):
        if self.step <= int(BLEND_START * N): return x
        maps = (self.store * words[:, None, None]).sum(-1).mean(1).reshape(2, 1, 8, 8)
        mask = F.interpolate(F.max_pool2d(maps, 3, 1, 1), size=x.shape[2:])
        mask = (mask / mask.amax((2, 3), keepdim=True)).gt(THRESHOLD)
        mask = (mask[:1] + mask).float()
        return x[:1] + mask * (x - x[:1])


class Processor:
    def __init__(self, control): self.control = control

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, **_):
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        q, k, v = attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context)
        q, k, v = (attn.head_to_batch_dim(t) for t in (q, k, v))
        probs = attn.get_attention_scores(q, k, attention_mask)
        if self.control[0]: probs = self.control[0](probs, encoder_hidden_states is not None)
        return attn.to_out[0](attn.batch_to_head_dim(torch.bmm(probs, v)))


unet = UNet2DConditionModel(
    sample_size=8, block_out_channels=(16, 32), layers_per_block=1, down_block_types=("CrossAttnDownBlock2D",) * 2,
    up_block_types=("CrossAttnUpBlock2D",) * 2, cross_attention_dim=WIDTH, attention_head_dim=2, norm_num_groups=4)
for n, p in unet.named_parameters(): p.data = start(n, p)
unet.eval().requires_grad_(False)
active = [None]
unet.set_attn_processor(Processor(active))
scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
                          set_alpha_to_one=False, steps_offset=1)
scheduler.set_timesteps(N)
abar = lambda t: scheduler.alphas_cumprod[t] if t >= 0 else scheduler.final_alpha_cumprod


def move(eps, x, a, b):
    return b.sqrt() * (x - (1 - a).sqrt() * eps) / a.sqrt() + (1 - b).sqrt() * eps


prev_step = lambda eps, t, x: move(eps, x, abar(t), abar(t - 1000 // N))
source, empty = randn(1, 1, 4, 8, 8), randn(2, 1, L, WIDTH)
prompts = randn(3, 2, L, WIDTH)
floats = lambda t: [round(v, 7) for v in t.detach().double().flatten().tolist()]

# DDIM inversion
trajectory = [source]
with torch.no_grad():
    for t in reversed(scheduler.timesteps.tolist()):
        x = trajectory[-1]
        trajectory.append(move(unet(x, t, prompts[:1]).sample, x, abar(t - 1000 // N), abar(t)))

# null-text inversion
embeddings, losses, x, embedding = [], [], trajectory[-1], empty
for i, t in enumerate(scheduler.timesteps.tolist()):
    embedding = embedding.clone().detach().requires_grad_(True)
    optimiser = torch.optim.Adam([embedding], lr=RATE * (1 - i / (2 * N)))
    with torch.no_grad(): conditional = unet(x, t, prompts[:1]).sample
    taken = []
    for _ in range(INNER):
        unconditional = unet(x, t, embedding).sample
        loss = F.mse_loss(prev_step(unconditional + W * (conditional - unconditional), t, x), trajectory[N - 1 - i])
        optimiser.zero_grad(); loss.backward(); optimiser.step()
        taken.append(loss.item())
        if taken[-1] < TOLERANCE + i * 1e-3 / N: break
    losses.append(taken); embeddings.append(embedding.detach())
    with torch.no_grad():
        unconditional = unet(x, t, embedding).sample
        x = prev_step(unconditional + W * (conditional - unconditional), t, x)

# Prompt-to-Prompt: "a cat on it" -> "a big dog on it", refined, by ids and places
ids = {"source": [515, 1, 2, 3, 4, 516], "target": [515, 1, 7, 8, 3, 4, 516]}
mapper, alphas = refinement_mapper(ids["source"], ids["target"])
equaliser = np.ones(L); equaliser[[2, 3]] = EQUALISER
words = torch.zeros(2, L); words[0, 2] = 1; words[1, [2, 3]] = 1
first = {}


def sample(empties, pivots=None):
    """pivots: direct inversion (arXiv:2310.01506), the source's row is not guided, and set to them"""
    control = Control(mapper, alphas, equaliser)
    x = trajectory[-1].expand(2, -1, -1, -1)
    for i, t in enumerate(scheduler.timesteps.tolist()):
        active[0] = control
        eps = unet(x.repeat(2, 1, 1, 1), t, torch.cat([empties[i].expand(2, -1, -1), prompts])).sample
        active[0] = None
        control.between_steps()
        if i == 0 and not first:
            maps = (control.store * words[:, None, None]).sum(-1).mean(1)
            first.update({"output": floats(eps[2:]), "attention": floats(maps)})
        without, within = eps.chunk(2)
        x = prev_step(without + W * (within - without), t, x)
        if pivots: x = torch.cat([pivots[N - 1 - i], x[1:]])
        x = control.blend(x, words)
    return x


with torch.no_grad():
    x, direct = sample(embeddings), sample([empty] * N, trajectory)

a, b = [("a", 1), ("cat", 2), ("sat", 1)], [("a", 1), ("dog", 3), ("sat", 1)]
cases = {
    "replaceLonger": {"source": a, "target": b, "mapper": floats(torch.tensor(replacement_mapper(a, b)))},
    "replaceShorter": {"source": b, "target": a, "mapper": floats(torch.tensor(replacement_mapper(b, a)))},
    "replaceAlike": {"source": b, "target": [("a", 1), ("cow", 3), ("ran", 1)],
                     "mapper": floats(torch.tensor(replacement_mapper(b, [("a", 1), ("cow", 3), ("ran", 1)])))},
    "refine": {"source": ids["source"], "target": ids["target"], "mapper": floats(torch.tensor(mapper)), "aligned": alphas.tolist()},
}
json.dump({
    "options": {"steps": N, "guidanceScale": W, "crossReplace": CROSS, "selfReplace": SELF, "blendStart": BLEND_START,
                "blendThreshold": THRESHOLD, "subjectWeight": EQUALISER, "nullSteps": INNER, "nullRate": RATE,
                "nullTolerance": TOLERANCE},
    "alignment": cases, "noise": floats(trajectory[-1]),
    "nullText": {"losses": losses, "first": floats(embeddings[0]), "last": floats(embeddings[-1])},
    "first": first, "end": floats(x), "direct": floats(direct[1:])}, open(sys.argv[1], "w"))
print({"losses": losses})
