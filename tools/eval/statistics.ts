/** What the tables say about samples: means with confidence, and paired tests. Checked against SciPy. */

export interface Mean {
  readonly mean: number;
  /** half-width of the 95 % confidence interval of the mean (Student's t); null for fewer than two values */
  readonly confidence: number | null;
  readonly n: number;
}

export function meanOf(values: readonly number[]): Mean {
  const n = values.length;
  const mean = values.reduce((a, b) => a + b, 0) / n;
  if (n < 2) return { mean, confidence: null, n };
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (n - 1);
  return { mean, confidence: studentQuantile(n - 1) * Math.sqrt(variance / n), n };
}

/** Two-sided p of the exact sign test; differences of zero do not count. 1 when none are left. */
export function signTest(differences: readonly number[]): number {
  const above = differences.filter((d) => d > 0).length;
  const n = above + differences.filter((d) => d < 0).length;
  const extreme = Math.min(above, n - above);
  let tail = 0;
  for (let k = 0; k <= extreme; k++) tail += Math.exp(logChoose(n, k) - n * Math.LN2);
  return Math.min(1, 2 * tail);
}

/**
 * Two-sided p of Wilcoxon's signed-rank test, from the exact distribution of the rank sum over all signs. Differences
 * of zero do not count, ties share the mean of their ranks. 1 when none are left.
 */
export function wilcoxon(differences: readonly number[]): number {
  const kept = differences.filter((d) => d !== 0);
  if (kept.length === 0) return 1;
  const doubled = doubledRanks(kept.map(Math.abs));
  const total = doubled.reduce((a, b) => a + b, 0);
  // ways[s]: share of sign patterns whose positive ranks add up to s/2
  let ways = new Float64Array(total + 1);
  ways[0] = 1;
  for (const rank of doubled) {
    const next = ways.map((share) => share / 2);
    for (let s = rank; s <= total; s++) next[s]! += ways[s - rank]! / 2;
    ways = next;
  }
  const positive = kept.reduce((sum, d, i) => sum + (d > 0 ? doubled[i]! : 0), 0);
  const smaller = Math.min(positive, total - positive);
  const tail = ways.subarray(0, smaller + 1).reduce((a, b) => a + b, 0);
  return Math.min(1, 2 * tail);
}

/** Twice the rank of each value, ties at the mean of their ranks. */
function doubledRanks(values: readonly number[]): number[] {
  return values.map((v) => {
    const below = values.filter((w) => w < v).length;
    const equal = values.filter((w) => w === v).length;
    return 2 * below + equal + 1;
  });
}

/** 97.5 % quantile of Student's t with `df` degrees of freedom. */
function studentQuantile(df: number): number {
  let [low, high] = [0, 1000];
  for (let i = 0; i < 100; i++) {
    const t = (low + high) / 2;
    // P(|T| > t) = I_{df/(df+t²)}(df/2, 1/2)
    if (incompleteBeta(df / (df + t * t), df / 2, 0.5) > 0.05) low = t;
    else high = t;
  }
  return low;
}

/** Regularised incomplete beta function. @see Press et al., Numerical Recipes, 3rd ed., 6.4 (modified Lentz) */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x));
  const tiny = 1e-300;
  const safe = (v: number): number => (Math.abs(v) < tiny ? tiny : v);
  let c = 1;
  let d = 1 / safe(1 - ((a + b) * x) / (a + 1));
  let h = d;
  for (let m = 1; m < 500; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    for (const term of [even, odd]) {
      d = 1 / safe(1 + term * d);
      c = safe(1 + term / c);
      h *= d * c;
    }
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return (front * h) / a;
}

const logChoose = (n: number, k: number): number => logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1);

/** Lanczos' series (g = 7, nine terms), x > 0. */
function logGamma(x: number): number {
  const terms = [
    676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406, 12.507343278686905,
    -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
  ];
  const sum = terms.reduce((s, term, i) => s + term / (x + i), 0.9999999999998099);
  const t = x + 6.5;
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}
