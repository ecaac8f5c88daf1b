/** An 8-bit sRGB picture at the edges of the program: RGBA, row-major, not premultiplied. */
export interface Pixels {
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/** Pictures of one size side by side, row by row, in a grid as wide as it is high; cells that are left are transparent. */
export function tiled(pictures: readonly Pixels[]): Pixels {
  const [first] = pictures;
  if (!first) throw new Error('there is no picture');
  const columns = Math.ceil(Math.sqrt(pictures.length));
  const width = columns * first.width;
  const height = columns * first.height;
  const data = new Uint8ClampedArray(4 * width * height);
  pictures.forEach((picture, i) => {
    const left = (i % columns) * first.width;
    const top = Math.floor(i / columns) * first.height;
    for (let y = 0; y < first.height; y++) {
      const row = picture.data.subarray(4 * y * first.width, 4 * (y + 1) * first.width);
      data.set(row, 4 * ((top + y) * width + left));
    }
  });
  return { data, width, height };
}
