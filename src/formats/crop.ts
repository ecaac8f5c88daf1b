import type { Square } from '../document/document';
import { AppError } from '../util/errors';
import type { Pixels } from '../util/pixels';
import { resize } from './resize';

/** @throws AppError BAD_REQUEST unless the square has whole coordinates and lies inside the photo */
export function checkSquare({ width, height }: Pixels, { x, y, size }: Square): void {
  const whole = [x, y, size].every(Number.isInteger);
  if (whole && size >= 1 && x >= 0 && y >= 0 && x + size <= width && y + size <= height) return;
  throw new AppError(
    'BAD_REQUEST',
    `the square ${size} px at (${x}, ${y}) does not lie inside the photo of ${width} × ${height} px`,
  );
}

/** The pixels of a square as they are: a copy, size × size. @throws AppError BAD_REQUEST */
export function cutSquare(photo: Pixels, square: Square): Pixels & { data: Uint8ClampedArray<ArrayBuffer> } {
  checkSquare(photo, square);
  const { x, y, size } = square;
  const data = new Uint8ClampedArray(4 * size * size);
  for (let row = 0; row < size; row++) {
    const from = 4 * ((y + row) * photo.width + x);
    data.set(photo.data.subarray(from, from + 4 * size), 4 * row * size);
  }
  return { data, width: size, height: size };
}

/** What the model gets to see: the square at `size` × `size` px (Lanczos). @throws AppError BAD_REQUEST */
export async function cropSquare(photo: Pixels, square: Square, size: number): Promise<Pixels> {
  return resize(cutSquare(photo, square), size, size);
}

/** Where a square of the photo lies in a picture of the same scene at another size, such as a mask painted smaller. */
export function squareIn(
  { x, y, size }: Square,
  photo: { readonly width: number },
  { width, height }: { readonly width: number; readonly height: number },
): Square {
  const scale = width / photo.width;
  const side = Math.min(Math.max(1, Math.round(size * scale)), width, height);
  const within = (at: number, length: number): number =>
    Math.min(Math.max(0, Math.round(at * scale)), length - side);
  return { x: within(x, width), y: within(y, height), size: side };
}
