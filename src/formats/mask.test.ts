import { expect, test } from 'vitest';
import { fitMask } from './mask';

test('white counts, whether drawn on black or on nothing, and the mask takes the photo’s size', async () => {
  const drawn = Uint8ClampedArray.from([255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 255, 255, 0, 0, 255]);
  const exact = await fitMask({ data: drawn, width: 4, height: 1 }, { width: 4, height: 1 });
  // Rec. 709: red is 21 % of white.
  expect(Array.from(exact.data)).toEqual([255, 255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255, 54, 54, 54, 255]);
  const large = await fitMask({ data: drawn, width: 2, height: 2 }, { width: 20, height: 10 });
  expect([large.width, large.height, large.data[0], large.data[4 * 19]]).toEqual([20, 10, 255, 0]);
});
