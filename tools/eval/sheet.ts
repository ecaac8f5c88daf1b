import type { Pixels } from '../../src/util/pixels';

const GAP = 2; // px

/** Pictures of one size in rows, white where there is none. */
export function contactSheet(rows: readonly (readonly (Pixels | null)[])[], side: number): Pixels {
  const columns = Math.max(...rows.map((row) => row.length));
  const [width, height] = [columns, rows.length].map((n) => n * (side + GAP) - GAP) as [number, number];
  const data = new Uint8ClampedArray(4 * width * height).fill(255);
  for (const [y, row] of rows.entries()) {
    for (const [x, picture] of row.entries()) {
      if (!picture) continue;
      for (let line = 0; line < side; line++) {
        const at = 4 * ((y * (side + GAP) + line) * width + x * (side + GAP));
        data.set(picture.data.subarray(4 * side * line, 4 * side * (line + 1)), at);
      }
    }
  }
  return { data, width, height };
}
