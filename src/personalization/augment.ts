/** How a few pictures become many examples. */
import { type NdArray, ndArray, zeros } from '../util/nd-array';
import { createTorchRng, type TorchRng } from '../util/random';

/** A picture as it is shown, [1,3,S,S] in [-1,1], with what to say about it. */
export interface View {
  readonly picture: NdArray;
  /** put before the training prompt, e.g. 'very small ' */
  readonly prefix: string;
  /** [h·w] of the latent, 1 where the picture is; absent: everywhere */
  readonly mask?: Float32Array;
}

/** Scales a square picture [1,3,S,S] to another side. */
export type Resize = (picture: NdArray, side: number) => Promise<NdArray>;

/** Views per picture of the 'scale' augmentation: the reference draws one per step, we encode a pool once. */
const VIEWS = 12;
const SMALL = 0.6;

/** Mirrored left to right. */
export function flipped(picture: NdArray): NdArray {
  const width = picture.shape[3]!;
  const data = picture.data.map((_, i, all) => all[i - (i % width) + (width - 1 - (i % width))]!);
  return { data, shape: picture.shape };
}

/**
 * Views of one picture.
 *
 * 'scale' follows Custom Diffusion: two thirds are pasted smaller, side ~ U[S/3, S], on grey with a valid region one
 * latent place inside; the others are enlarged by U[1.2, 1.4] and cropped. METHOD.md 7.7
 *
 * @param factor  pixels per latent place
 */
export async function viewsOf(
  picture: NdArray,
  how: 'none' | 'flip' | 'scale',
  { resize, factor, seed }: { readonly resize: Resize; readonly factor: number; readonly seed: number },
): Promise<View[]> {
  if (how === 'none') return [{ picture, prefix: '' }];
  if (how === 'flip') return [picture, flipped(picture)].map((view) => ({ picture: view, prefix: '' }));
  const rng = createTorchRng(seed);
  const views: View[] = [];
  for (let i = 0; i < VIEWS; i++) {
    const source = i % 2 ? flipped(picture) : picture;
    views.push(i % 3 < 2 ? await pasted(source, rng, resize, factor) : await zoomed(source, rng, resize));
  }
  return views;
}

async function pasted(picture: NdArray, rng: TorchRng, resize: Resize, factor: number): Promise<View> {
  const size = picture.shape[3]!;
  const side = rng.randint(Math.floor(size / 3), size + 1, 1)[0]!;
  const [top, left] = [0, 0].map(() => rng.randint(0, size - side + 1, 1)[0]!) as [number, number];
  const small = await resize(picture, side);
  const canvas = zeros(picture.shape);
  copy(small, side, canvas, size, (y, x) => [y - top, x - left]);
  const prefix = side < SMALL * size ? pick(['a far away ', 'very small '], rng) : '';
  return { picture: canvas, prefix, mask: validRegion(size / factor, factor, top, left, side) };
}

async function zoomed(picture: NdArray, rng: TorchRng, resize: Resize): Promise<View> {
  const size = picture.shape[3]!;
  const side = rng.randint(Math.floor(1.2 * size), Math.floor(1.4 * size) + 1, 1)[0]!;
  const [top, left] = [0, 0].map(() => rng.randint(0, side - size + 1, 1)[0]!) as [number, number];
  const large = await resize(picture, side);
  const crop = zeros(picture.shape);
  copy(large, side, crop, size, (y, x) => [y + top, x + left]);
  return { picture: crop, prefix: pick(['zoomed in ', 'close up '], rng) };
}

/** target[y,x] = source[at(y,x)] where that is inside, for three channels. */
function copy(
  source: NdArray,
  from: number,
  target: NdArray,
  to: number,
  at: (y: number, x: number) => readonly [number, number],
): void {
  for (let c = 0; c < 3; c++) {
    for (let y = 0; y < to; y++) {
      for (let x = 0; x < to; x++) {
        const [sy, sx] = at(y, x);
        if (sy < 0 || sx < 0 || sy >= from || sx >= from) continue;
        target.data[(c * to + y) * to + x] = source.data[(c * from + sy) * from + sx]!;
      }
    }
  }
}

/** Latent places wholly inside the pasted picture, less one at each border (all places if none is left). */
function validRegion(side: number, factor: number, top: number, left: number, size: number): Float32Array {
  const inside = (i: number, start: number): boolean =>
    i >= Math.floor(start / factor) + 1 && i < Math.floor((start + size) / factor) - 1;
  const { data } = ndArray(new Float32Array(side * side), [side, side]);
  const mask = data.map((_, i) => (inside(Math.floor(i / side), top) && inside(i % side, left) ? 1 : 0));
  return mask.includes(1) ? mask : mask.fill(1);
}

const pick = <T>(items: readonly T[], rng: TorchRng): T => items[rng.randint(0, items.length, 1)[0]!]!;
