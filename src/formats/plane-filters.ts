/** One number per pixel of a square picture, row-major, side × side. */
export interface Plane {
  readonly data: Float32Array;
  readonly side: number;
}

export const mapPlane = ({ data, side }: Plane, f: (value: number, index: number) => number): Plane => ({
  data: data.map(f),
  side,
});

/** Filters every row, then every column. `filter` gets a line with its ends repeated `radius` times. */
function separable(
  plane: Plane,
  radius: number,
  filter: (padded: Float64Array, out: Float32Array) => void,
): Plane {
  const { side } = plane;
  const padded = new Float64Array(side + 2 * radius);
  const line = new Float32Array(side);
  let { data } = plane;
  for (const [along, across] of [
    [1, side],
    [side, 1],
  ] as const) {
    const next = new Float32Array(data.length);
    for (let start = 0; start < side * across; start += across) {
      for (let i = 0; i < padded.length; i++) {
        padded[i] = data[start + along * Math.min(side - 1, Math.max(0, i - radius))]!;
      }
      filter(padded, line);
      for (let i = 0; i < side; i++) next[start + along * i] = line[i]!;
    }
    data = next;
  }
  return { data, side };
}

/** Mean over a (2r+1)² window. A window of zeros gives exactly zero. */
export const boxBlur = (plane: Plane, radius: number): Plane =>
  separable(plane, radius, (padded, out) => {
    const window = 2 * radius + 1;
    // Running sums are differences of one prefix sum, so equal prefixes cancel exactly.
    const prefix = new Float64Array(padded.length + 1);
    for (let i = 0; i < padded.length; i++) prefix[i + 1] = prefix[i]! + padded[i]!;
    for (let i = 0; i < out.length; i++) out[i] = (prefix[i + window]! - prefix[i]!) / window;
  });

/** Three box blurs: close to a Gaussian with σ ≈ √(r² + r), and zero beyond 3r. */
export const smooth = (plane: Plane, radius: number): Plane =>
  boxBlur(boxBlur(boxBlur(plane, radius), radius), radius);

const windowed = (plane: Plane, radius: number, pick: (a: number, b: number) => number): Plane =>
  separable(plane, radius, (padded, out) => {
    for (let i = 0; i < out.length; i++) {
      let best = padded[i]!;
      for (let k = i + 1; k <= i + 2 * radius; k++) best = pick(best, padded[k]!);
      out[i] = best;
    }
  });

/** Largest value of a (2r+1)² window. */
export const dilate = (plane: Plane, radius: number): Plane => windowed(plane, radius, Math.max);
/** Smallest value of a (2r+1)² window. */
export const erode = (plane: Plane, radius: number): Plane => windowed(plane, radius, Math.min);

/** 0 below `low`, 1 above `high`, a smooth cubic between. */
export function smoothstep(low: number, high: number, value: number): number {
  const t = Math.min(1, Math.max(0, (value - low) / (high - low)));
  return t * t * (3 - 2 * t);
}
