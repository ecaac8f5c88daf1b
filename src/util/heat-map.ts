import { resizeBilinear } from './bilinear';
import type { Pixels } from './pixels';

/** Eleven colours of matplotlib's "inferno": brightness rises evenly, so it reads in greyscale and by colour-blind eyes. */
const COLOURS = [
  [0, 0, 4],
  [22, 11, 57],
  [66, 10, 104],
  [106, 23, 110],
  [147, 38, 103],
  [188, 55, 84],
  [221, 81, 58],
  [243, 120, 25],
  [252, 165, 10],
  [246, 215, 70],
  [252, 255, 164],
] as const;

/** @param v in [0,1] @returns red, green, blue in [0,255] */
export function heatColour(v: number): readonly [number, number, number] {
  const at = Math.min(Math.max(v, 0), 1) * (COLOURS.length - 1);
  const low = Math.min(Math.floor(at), COLOURS.length - 2);
  const mix = (c: 0 | 1 | 2): number =>
    COLOURS[low]![c] + (at - low) * (COLOURS[low + 1]![c] - COLOURS[low]![c]);
  return [mix(0), mix(1), mix(2)];
}

/** How far the map covers the picture where it is 0 and where it is 1. */
const COVER = [0.45, 0.8] as const;
/** Brightness of the grey picture under it. */
const UNDER = 0.75;

/**
 * A map as heat over a picture in grey, so that every colour is the map's.
 *
 * @param map  [size,size] in [0,1], enlarged linearly
 */
export function heatMap(
  { data, width, height }: Pixels,
  map: Float32Array,
  size: number,
): Pixels & { data: Uint8ClampedArray<ArrayBuffer> } {
  const heat = resizeBilinear({ data: map, shape: [size, size] }, height, width).data;
  const out = new Uint8ClampedArray(4 * width * height);
  for (let i = 0; i < heat.length; i++) {
    const cover = COVER[0] + heat[i]! * (COVER[1] - COVER[0]);
    const grey = 0.299 * data[4 * i]! + 0.587 * data[4 * i + 1]! + 0.114 * data[4 * i + 2]!;
    const colour = heatColour(heat[i]!);
    for (let c = 0; c < 3; c++) out[4 * i + c] = (1 - cover) * UNDER * grey + cover * colour[c]!;
    out[4 * i + 3] = 255;
  }
  return { data: out, width, height };
}
