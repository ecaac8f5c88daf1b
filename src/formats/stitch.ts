import type { Square } from '../document/document';
import { AppError } from '../util/errors';
import type { Pixels } from '../util/pixels';
import { cutSquare } from './crop';
import { boxBlur, dilate, erode, mapPlane, type Plane, smooth, smoothstep } from './plane-filters';
import { resize } from './resize';
import { fromTensor, toTensor } from './tensor';

/** Lengths are fractions of the square's side, differences fractions of full scale. */
export interface StitchOptions {
  /** width of the fade along the square's border; sides that lie on the photo's border do not fade */
  readonly feather: number;
  /** a smaller difference from the source is no change: the photo stays as it is */
  readonly unchanged: number;
  /** a larger difference is a change: the edited picture is taken whole */
  readonly changed: number;
  /** gaps narrower than twice this inside a change belong to it */
  readonly close: number;
  /** how far a change reaches beyond where it was measured, and over what width it fades */
  readonly grow: number;
}

const STITCH_DEFAULTS: StitchOptions = {
  feather: 1 / 16,
  unchanged: 6 / 255,
  changed: 24 / 255,
  close: 1 / 20,
  grow: 1 / 64,
};

export interface StitchInput {
  /** what the model returned for the square, m × m px */
  readonly edited: Pixels;
  /**
   * What the model would have returned had it changed nothing (the square through the autoencoder and back), m × m px.
   * Without it the photo's own square is used, and everything the autoencoder cannot reproduce counts as change.
   */
  readonly source?: Pixels | null;
  /** white = may change, black = must not; grey, covers the square, any resolution. Without it: everywhere */
  readonly mask?: Pixels | null;
}

/** Below this much of the edited picture not one 8-bit level moves; the photo's bytes are left alone. */
const VISIBLE = 1 / 512;

const channel = ({ data, width }: Pixels, c: number): Plane => ({
  data: Float32Array.from({ length: width * width }, (_, i) => data[4 * i + c]!),
  side: width,
});

/**
 * Where, and how much, the edited picture differs from the source.
 *
 *   d = blur(max over RGB |edited − source| / 255)          3 × 3 mean: a single noisy pixel is no change
 *   t = smoothstep(unchanged, changed, d)
 *   c = blur(erode(dilate(t, close), close − grow))          closing fills gaps, `grow` widens, the blur fades
 *
 * @param edited, source m × m px
 * @returns c in [0,1], m × m; exactly 0 further than 2·grow from every change (and gap), so everywhere when both are equal
 */
export function changeMap(edited: Pixels, source: Pixels, options: StitchOptions = STITCH_DEFAULTS): Plane {
  const side = edited.width;
  const difference = new Float32Array(side * side);
  for (let i = 0; i < difference.length; i++) {
    for (let c = 0; c < 3; c++) {
      const d = Math.abs(edited.data[4 * i + c]! - source.data[4 * i + c]!) / 255;
      if (d > difference[i]!) difference[i] = d;
    }
  }
  const changed = mapPlane(boxBlur({ data: difference, side }, 1), (d) =>
    smoothstep(options.unchanged, options.changed, d),
  );
  const grow = Math.max(1, Math.round(options.grow * side));
  const close = Math.max(grow, Math.round(options.close * side));
  return boxBlur(erode(dilate(changed, close), close - grow), grow);
}

/** Reach of the colour match, as a fraction of the side: colour casts vary slowly, content does not. */
const CAST_REACH = 1 / 16;
/** Weight of the autoencoder's mean cast against the local one: decides only where nothing local is known. */
const CAST_PRIOR = 1e-3;

/**
 * Adds to the edited picture the colour cast by which the photo differs from it where nothing changed, carried smoothly
 * into the changed parts (normalised convolution): what meets at the border of a change then matches, whether the
 * autoencoder or a faint drift of the whole edit is to blame.
 *
 *   cast = (G∗[k·(photo − edited)] + ε·mean(photo − source)) / (G∗k + ε),   k = 1 where c = 0, else 0
 */
function matchColour(edited: Pixels, photo: Pixels, source: Pixels, changed: Plane): Pixels {
  const { side } = changed;
  const radius = Math.max(1, Math.round(side * CAST_REACH));
  const data = new Uint8ClampedArray(edited.data);
  // Only what is wholly unchanged tells about a cast: a half change would pass for an enormous one.
  const known = mapPlane(changed, (c) => (c === 0 ? 1 : 0));
  const weight = smooth(known, radius);
  for (let c = 0; c < 3; c++) {
    const [own, before, after] = [photo, source, edited].map((picture) => channel(picture, c).data);
    let prior = 0;
    for (let i = 0; i < side * side; i++) prior += (own![i]! - before![i]!) / (side * side);
    const local = smooth(
      mapPlane(known, (weight, i) => weight * (own![i]! - after![i]!)),
      radius,
    );
    for (let i = 0; i < side * side; i++) {
      const cast = (local.data[i]! + CAST_PRIOR * prior) / (weight.data[i]! + CAST_PRIOR);
      data[4 * i + c] = after![i]! + cast;
    }
  }
  return { data, width: side, height: side };
}

/** Reads one row of a plane stretched to `size` px, linearly between pixel centres. */
function stretchedRows(plane: Plane, size: number): (row: number, out: Float32Array) => void {
  const { data, side } = plane;
  const position = (i: number): number => Math.min(side - 1, Math.max(0, ((i + 0.5) * side) / size - 0.5));
  const columns = Float32Array.from({ length: size }, (_, i) => position(i));
  const line = new Float32Array(side + 1);
  return (row, out) => {
    const y = position(row);
    const above = Math.floor(y) * side;
    const below = Math.min(side - 1, Math.floor(y) + 1) * side;
    const f = y - Math.floor(y);
    for (let i = 0; i < side; i++) line[i] = data[above + i]! * (1 - f) + data[below + i]! * f;
    line[side] = line[side - 1]!;
    for (let i = 0; i < size; i++) {
      const x = Math.floor(columns[i]!);
      const g = columns[i]! - x;
      out[i] = line[x]! * (1 - g) + line[x + 1]! * g;
    }
  };
}

/** Fade along one axis of the square: 0 outside, 1 from `width` px inside; none where the photo ends. */
function fade(i: number, size: number, width: number, open: { start: boolean; end: boolean }): number {
  const start = open.start ? smoothstep(0, width, i + 0.5) : 1;
  const end = open.end ? smoothstep(0, width, size - i - 0.5) : 1;
  return start * end;
}

/** Reaching this much of the mask allows the whole change: a soft mask guides an edit, it does not half-blend it. */
const MASK_KNEE = 0.25;

/**
 * The edited square as it appears in the photo, at the photo's own resolution.
 *
 *   out = (1 − α)·photo + α·upsample(edited + cast)          RGB; the photo's alpha channel is kept
 *   α   = stretch(c) · smoothstep(0, ¼, stretch(mask)) · fade
 *
 * with the change map c of `changeMap`, the colour match of `matchColour`, Lanczos for `upsample`, linear `stretch`,
 * and a `fade` to 0 along the square's border. The model works at 128 to 512 px, the square may be thousands: so the
 * photo's own detail stays wherever nothing changed. α is exactly 0 there and where the mask is black, and those bytes
 * are the photo's. With edited = source the result is the photo's square, byte for byte.
 *
 * @returns size × size px
 * @throws AppError BAD_REQUEST when the square is not inside the photo; SHAPE when pictures do not fit each other
 */
export async function stitchSquare(
  photo: Pixels,
  square: Square,
  { edited, source, mask }: StitchInput,
  options: StitchOptions = STITCH_DEFAULTS,
): Promise<Pixels & { data: Uint8ClampedArray<ArrayBuffer> }> {
  const side = edited.width;
  for (const picture of [edited, source ?? edited]) {
    if (picture.width !== side || picture.height !== side) {
      throw new AppError(
        'SHAPE',
        `edited and source square differ: ${side} px and ${picture.width} × ${picture.height} px`,
      );
    }
  }
  if (mask && mask.width !== mask.height) {
    throw new AppError('SHAPE', `the mask of a square is square, not ${mask.width} × ${mask.height} px`);
  }
  const { x, y, size } = square;
  const result = cutSquare(photo, square);
  // As the model sees it: transparent parts over white.
  const own = fromTensor(toTensor(await resize(result, side, side)));
  const changed = changeMap(edited, source ?? own, options);
  if (changed.data.every((c) => c === 0)) return result;

  const matched = matchColour(edited, own, source ?? own, changed);
  const large = await resize(matched, size, size);
  const changeRow = stretchedRows(changed, size);
  const maskRow = mask && stretchedRows(channel(mask, 0), size);
  const width = Math.max(1, options.feather * size);
  const open = (from: number, end: number) => ({ start: from > 0, end: from + size < end });
  const across = Float32Array.from({ length: size }, (_, i) => fade(i, size, width, open(x, photo.width)));
  const alphas = new Float32Array(size);
  const masks = new Float32Array(size).fill(255);
  for (let row = 0; row < size; row++) {
    changeRow(row, alphas);
    maskRow?.(row, masks);
    const down = fade(row, size, width, open(y, photo.height));
    for (let column = 0; column < size; column++) {
      if (alphas[column]! === 0) continue;
      const allowed = smoothstep(0, 255 * MASK_KNEE, masks[column]!);
      const alpha = alphas[column]! * allowed * across[column]! * down;
      if (alpha < VISIBLE) continue;
      const at = 4 * (row * size + column);
      for (let c = at; c < at + 3; c++) {
        const before = result.data[c]!;
        result.data[c] = before + alpha * (large.data[c]! - before);
      }
    }
  }
  return result;
}

/**
 * The photo with an edited square put back; see `stitchSquare`. Outside the square every byte is the photo's.
 * Time and memory grow with the square, beyond one copy of the photo.
 */
export async function stitch(
  photo: Pixels,
  square: Square,
  input: StitchInput,
  options: StitchOptions = STITCH_DEFAULTS,
): Promise<Pixels & { data: Uint8ClampedArray<ArrayBuffer> }> {
  const { data: patch } = await stitchSquare(photo, square, input, options);
  const data = new Uint8ClampedArray(photo.data);
  const { x, y, size } = square;
  for (let row = 0; row < size; row++) {
    data.set(patch.subarray(4 * row * size, 4 * (row + 1) * size), 4 * ((y + row) * photo.width + x));
  }
  return { data, width: photo.width, height: photo.height };
}
