import { expect, test } from 'vitest';
import { heatColour, heatMap } from './heat-map';

const luminance = ([r, g, b]: readonly number[]): number => 0.299 * r! + 0.587 * g! + 0.114 * b!;

test('more heat is brighter, all the way', () => {
  const ramp = Array.from({ length: 101 }, (_, i) => luminance(heatColour(i / 100)));
  for (let i = 1; i < ramp.length; i++) expect(ramp[i]).toBeGreaterThan(ramp[i - 1]!);
  expect(heatColour(-1)).toEqual(heatColour(0));
  expect(heatColour(2)).toEqual(heatColour(1));
});

test('heat lies where the map is, and the picture gives no colour of its own', () => {
  const red = Uint8ClampedArray.from({ length: 4 * 8 * 8 }, (_, i) => [200, 0, 0, 255][i % 4]!);
  const grey = Uint8ClampedArray.from({ length: 4 * 8 * 8 }, (_, i) => (i % 4 === 3 ? 255 : 0.299 * 200));
  const map = Float32Array.of(1, 0, 0, 0);
  const [a, b] = [red, grey].map((data) => heatMap({ data, width: 8, height: 8 }, map, 2));
  for (let i = 0; i < a!.data.length; i++) expect(Math.abs(a!.data[i]! - b!.data[i]!)).toBeLessThanOrEqual(1);
  const at = (x: number, y: number) => luminance([...a!.data.slice(4 * (8 * y + x), 4 * (8 * y + x) + 3)]);
  expect(at(0, 0)).toBeGreaterThan(at(7, 0) + 50);
  expect(at(7, 7)).toBeCloseTo(at(0, 7), 0);
});
