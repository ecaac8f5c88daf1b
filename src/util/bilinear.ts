import type { NdArray } from './nd-array';

/** Bilinear resize of a map [h,w] (half-pixel centres, edges held) → [1,1,H,W]. */
export function resizeBilinear(map: NdArray, height: number, width: number): NdArray {
  const [h, w] = map.shape as [number, number];
  const out = new Float32Array(height * width);
  const axis = (i: number, from: number, to: number): [number, number, number] => {
    const at = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
    const low = Math.floor(at);
    return [low, Math.min(low + 1, from - 1), at - low];
  };
  for (let y = 0; y < height; y++) {
    const [y0, y1, fy] = axis(y, h, height);
    for (let x = 0; x < width; x++) {
      const [x0, x1, fx] = axis(x, w, width);
      const top = map.data[y0 * w + x0]! * (1 - fx) + map.data[y0 * w + x1]! * fx;
      const bottom = map.data[y1 * w + x0]! * (1 - fx) + map.data[y1 * w + x1]! * fx;
      out[y * width + x] = top * (1 - fy) + bottom * fy;
    }
  }
  return { data: out, shape: [1, 1, height, width] };
}
