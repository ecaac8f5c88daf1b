/** What can be said of a picture before anything is learned from it: where its subject is, whether it is sharp. */
import type { Square } from '../document/document';
import { clampSquare } from '../document/square';
import type { Pixels } from '../util/pixels';
import { cropSquare } from './crop';
import { resize } from './resize';

/** Longest side that is looked at for the subject, px. */
const LOOK = 96;
/** How much a square away from the middle has to gain: photographers put the subject there. */
const CENTRED = 0.15;
/** Side of the square that sharpness is measured on, px, at most. */
const SHARP = 256;

/**
 * The largest square of a picture, moved along its longer side to where most of what stands out is: colours unlike those
 * along the border, and edges.
 */
export async function suggestSquare(picture: Pixels): Promise<Square> {
  const { width, height } = picture;
  const size = Math.min(width, height);
  const scale = Math.min(1, LOOK / Math.max(width, height));
  const side = (length: number): number => Math.max(1, Math.round(length * scale));
  const small = await resize(picture, side(width), side(height));
  const wide = small.width > small.height;
  const [along, across] = wide ? [small.width, small.height] : [small.height, small.width];
  const room = along - across;
  if (room === 0) return clampSquare({ x: 0, y: 0, size }, picture);
  const weight = standsOut(small);
  const lines = Array.from({ length: along }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < across; j++) sum += weight[wide ? j * small.width + i : i * small.width + j]!;
    return sum;
  });
  let best = { at: room / 2, score: -1 };
  for (let at = 0; at <= room; at++) {
    const held = lines.slice(at, at + across).reduce((a, b) => a + b, 0);
    const score = held * (1 - CENTRED * Math.abs((2 * at) / room - 1));
    if (score > best.score) best = { at, score };
  }
  const offset = (best.at / along) * Math.max(width, height);
  return clampSquare({ x: wide ? offset : 0, y: wide ? 0 : offset, size }, picture);
}

/** Per pixel: distance of its colour from the border's mean, and of its light from its neighbours'. */
function standsOut(picture: Pixels): Float32Array {
  const { data, width, height } = picture;
  const border = [0, 0, 0];
  let count = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (x > 0 && y > 0 && x < width - 1 && y < height - 1) continue;
      for (let c = 0; c < 3; c++) border[c]! += data[4 * (y * width + x) + c]!;
      count++;
    }
  }
  const light = luminance(picture);
  return light.map((value, at) => {
    const colour = Math.hypot(...border.map((sum, c) => data[4 * at + c]! - sum / count));
    const right = light[at % width === width - 1 ? at : at + 1]!;
    const below = light[at + width] ?? value;
    return colour + Math.abs(right - value) + Math.abs(below - value);
  });
}

/** Rec. 601 luma, [0,255]. */
function luminance({ data, width, height }: Pixels): Float32Array {
  const light = new Float32Array(width * height);
  for (let i = 0; i < light.length; i++)
    light[i] = 0.299 * data[4 * i]! + 0.587 * data[4 * i + 1]! + 0.114 * data[4 * i + 2]!;
  return light;
}

export interface PictureCheck {
  /** too few fine details for its contrast: out of focus, or moved */
  readonly blurred: boolean;
  /** of the square's look, 64 bits in hex; alike pictures differ in few bits, see `alike` */
  readonly look: string;
}

/** Detail of 48 sharp photos of figures and pets: 0.067 and more; after a blur of 4 px (of 512): at most 0.014. */
const BLURRED = 0.015;

/** Looks at what will be learned from, the square. */
export async function checkPicture(picture: Pixels, square: Square): Promise<PictureCheck> {
  const side = Math.min(SHARP, square.size);
  const [seen, tiny] = await Promise.all([
    cropSquare(picture, square, side),
    cropSquare(picture, square, 9).then((nine) => resize(nine, 9, 8)),
  ]);
  return { blurred: detail(seen) < BLURRED, look: differenceHash(tiny) };
}

/** Variance of the Laplacian over the variance of the light itself; 0 for a plain surface. */
function detail(picture: Pixels): number {
  const light = luminance(picture);
  const { width, height } = picture;
  const edges: number[] = [];
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const at = y * width + x;
      const around = light[at - 1]! + light[at + 1]! + light[at - width]! + light[at + width]!;
      edges.push(around - 4 * light[at]!);
    }
  }
  const all = variance(light);
  return all === 0 ? 0 : variance(edges) / all;
}

function variance(values: ArrayLike<number>): number {
  const list = Array.from(values);
  const mean = list.reduce((a, b) => a + b, 0) / list.length;
  return list.reduce((sum, value) => sum + (value - mean) ** 2, 0) / list.length;
}

/** One bit per pair of neighbours in a row: is the left one lighter. @param picture 9 × 8 px */
function differenceHash(picture: Pixels): string {
  const light = luminance(picture);
  let bits = '';
  for (let y = 0; y < 8; y++)
    for (let x = 0; x < 8; x++) bits += light[9 * y + x]! > light[9 * y + x + 1]! ? 1 : 0;
  return BigInt(`0b${bits}`).toString(16).padStart(16, '0');
}
