/** An 8-bit sRGB picture at the edges of the program: RGBA, row-major, not premultiplied. */
export interface Pixels {
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}
