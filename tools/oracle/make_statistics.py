"""Golden numbers for tools/eval/statistics.ts: SciPy's interval and paired tests.

scipy 1.17.1, numpy 2.4.6. Run: python tools/oracle/make_statistics.py     (writes tools/eval/golden/statistics.json)
"""
import itertools
import json
import pathlib

import numpy as np
from scipy import stats

rng = np.random.default_rng(1)
SAMPLES = {
    "two": [0.5, -0.1], "few": [1.0, 2.0, 3.5, -0.5, 4.0],
    "twelve": np.round(rng.normal(0.4, 1, 12), 4).tolist(),
    "seventy": np.round(rng.normal(0.2, 1, 70), 6).tolist(),
    "ties": [0.0, 1.0, 1.0, -1.0, 2.0, 2.0, 0.0, 3.0], "oneSided": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
}


def wilcoxon(d):
    """Exact over all signs, mid-ranks for ties; SciPy's own exact method where there are none."""
    d = d[d != 0]
    ranks = stats.rankdata(np.abs(d))
    if len(set(ranks)) == len(ranks):
        return stats.wilcoxon(d, method="exact").pvalue
    sums = [np.dot(signs, ranks) for signs in itertools.product((0, 1), repeat=len(d))]
    smaller = min(ranks[d > 0].sum(), ranks[d < 0].sum())
    return min(1.0, 2 * np.mean(np.array(sums) <= smaller + 1e-9))


def describe(values):
    d = np.array(values)
    low, high = stats.t.interval(0.95, len(d) - 1, d.mean(), stats.sem(d))
    kept = d[d != 0]
    sign = stats.binomtest(int((kept > 0).sum()), len(kept)).pvalue
    return {"values": values, "mean": d.mean(), "confidence": (high - low) / 2, "sign": sign, "wilcoxon": wilcoxon(d)}


out = pathlib.Path(__file__).resolve().parents[1] / "eval/golden/statistics.json"
out.parent.mkdir(exist_ok=True)
out.write_text(json.dumps({name: describe(v) for name, v in SAMPLES.items()}) + "\n")
print(out.read_text())
