import { expect, test } from 'vitest';
import { fitView, pan, toPhoto, toScreen, zoomTo } from './view';

const photo = { width: 4000, height: 3000 };
const viewport = { width: 848, height: 900 };

test('a fitted photo is centred with a margin on its tighter side', () => {
  const view = fitView(photo, viewport);
  expect(view.scale).toBeCloseTo(0.2);
  expect(toScreen(view, { x: 2000, y: 1500 })).toEqual({ x: 424, y: 450 });
  expect(view.x).toBeCloseTo(24);
  expect(fitView({ width: 10, height: 10 }, viewport).scale).toBe(4);
});

test('zooming keeps what is under the pointer in place', () => {
  const view = fitView(photo, viewport);
  const at = { x: 300, y: 200 };
  const zoomed = zoomTo(view, 1.5, at, photo, viewport);
  expect(zoomed.scale).toBe(1.5);
  const [before, after] = [toPhoto(view, at), toPhoto(zoomed, at)];
  expect(after.x).toBeCloseTo(before.x);
  expect(after.y).toBeCloseTo(before.y);
});

test('zoom has limits, and the photo cannot be lost from sight', () => {
  const view = fitView(photo, viewport);
  expect(zoomTo(view, 1000, { x: 0, y: 0 }, photo, viewport).scale).toBe(16);
  expect(zoomTo(view, 0, { x: 0, y: 0 }, photo, viewport).scale).toBeCloseTo(0.05);
  for (const by of [-1e6, 1e6]) {
    const { x, y } = pan(view, { x: by, y: by }, photo, viewport);
    expect(x < viewport.width && x + photo.width * view.scale > 0).toBe(true);
    expect(y < viewport.height && y + photo.height * view.scale > 0).toBe(true);
  }
});
