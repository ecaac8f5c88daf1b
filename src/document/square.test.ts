import { expect, test } from 'vitest';
import { type Corner, clampSquare, cornerOf, defaultSquare, resizeSquare, squareBetween } from './square';

const photo = { width: 640, height: 400 };
const square = { x: 100, y: 100, size: 200 };

test.each<[Corner, Corner]>([
  ['nw', 'se'],
  ['ne', 'sw'],
  ['sw', 'ne'],
  ['se', 'nw'],
])('dragging %s keeps %s where it is, and the square inside the photo', (corner, opposite) => {
  for (const point of [
    { x: -500, y: -500 },
    { x: 700, y: 30 },
    { x: 150, y: 390 },
    { x: 333.3, y: 211.7 },
  ]) {
    const next = resizeSquare(square, corner, point, photo);
    const fixed = cornerOf(square, opposite);
    // dragged past the fixed corner it becomes another corner of the square, but never moves
    const corners = (['nw', 'ne', 'sw', 'se'] as const).map((c) => cornerOf(next, c));
    expect(corners).toContainEqual(fixed);
    expect(next).toEqual(clampSquare(next, photo));
  }
});

test('a square is as large as its longer drag asks', () => {
  expect(squareBetween({ x: 10, y: 10 }, { x: 60, y: 90 }, photo)).toEqual({ x: 10, y: 10, size: 80 });
  expect(squareBetween({ x: 100, y: 100 }, { x: 40, y: 90 }, photo)).toEqual({ x: 40, y: 40, size: 60 });
});

test('photos smaller than the least square still get one', () => {
  expect(defaultSquare({ width: 9, height: 12 })).toEqual({ x: 0, y: 2, size: 9 });
});
