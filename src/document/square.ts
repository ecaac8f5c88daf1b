import type { Square } from './document';

interface Size {
  readonly width: number;
  readonly height: number;
}
interface Point {
  readonly x: number;
  readonly y: number;
}
export type Corner = 'nw' | 'ne' | 'sw' | 'se';

/** Smallest useful edit square, photo px: below this there is nothing to see at model resolution. */
export const minSquare = 16;

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

/** The nearest whole-pixel square inside the photo; size first, then position. */
export function clampSquare(square: Square, photo: Size): Square {
  const largest = Math.min(photo.width, photo.height);
  const size = clamp(Math.round(square.size), Math.min(minSquare, largest), largest);
  return {
    size,
    x: clamp(Math.round(square.x), 0, photo.width - size),
    y: clamp(Math.round(square.y), 0, photo.height - size),
  };
}

/** Where an edit starts: the largest square, centred. */
export function defaultSquare(photo: Size): Square {
  const size = Math.min(photo.width, photo.height);
  return clampSquare({ size, x: (photo.width - size) / 2, y: (photo.height - size) / 2 }, photo);
}

/** The corner of a square, in photo px. */
export const cornerOf = ({ x, y, size }: Square, corner: Corner): Point => ({
  x: corner.endsWith('w') ? x : x + size,
  y: corner.startsWith('n') ? y : y + size,
});

const opposite: Record<Corner, Corner> = { nw: 'se', ne: 'sw', sw: 'ne', se: 'nw' };

/** The square from `anchor` towards `point`, as large as the further of the two axes asks and the photo allows. */
export function squareBetween(anchor: Point, point: Point, photo: Size): Square {
  const left = point.x < anchor.x;
  const up = point.y < anchor.y;
  const room = Math.min(left ? anchor.x : photo.width - anchor.x, up ? anchor.y : photo.height - anchor.y);
  const asked = Math.max(Math.abs(point.x - anchor.x), Math.abs(point.y - anchor.y));
  const size = Math.min(asked, room);
  return clampSquare(
    { size, x: left ? anchor.x - size : anchor.x, y: up ? anchor.y - size : anchor.y },
    photo,
  );
}

/** Drag one corner to a point; the opposite corner stays. */
export const resizeSquare = (square: Square, corner: Corner, point: Point, photo: Size): Square =>
  squareBetween(cornerOf(square, opposite[corner]), point, photo);
