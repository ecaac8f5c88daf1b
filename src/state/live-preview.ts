import type { Pixels } from '../util/pixels';

/**
 * A sharp live picture out of two kinds of looks: few that are decoded, and one per step that is cheap but only of
 * latent resolution. What changed since the last sharp one is enlarged and laid over it:
 *
 *   shown = sharp + enlarge(linear now − linear when it was sharp)
 *
 * @param start the square before the edit, any size; the first sharp picture
 * @returns what to show, given the next look
 */
export function livePreview(start: Pixels): (look: Pixels, quality: 'linear' | 'decoded') => Pixels {
  let sharp = start;
  let reference: Pixels | null = null;
  let latest: Pixels | null = null;
  return (look, quality) => {
    if (quality === 'decoded') {
      sharp = look;
      reference = latest;
      return look;
    }
    latest = look;
    reference ??= look;
    return addEnlarged(sharp, look, reference);
  };
}

/** picture + (now − before), the difference enlarged linearly between pixel centres; the picture's own alpha. */
function addEnlarged(picture: Pixels, now: Pixels, before: Pixels): Pixels {
  const { width, height } = picture;
  const data = new Uint8ClampedArray(picture.data);
  const columns = taps(now.width, width);
  const rows = taps(now.height, height);
  for (let y = 0; y < height; y++) {
    const row = rows[y]!;
    for (let x = 0; x < width; x++) {
      const column = columns[x]!;
      for (let c = 0; c < 3; c++) {
        const at = (i: number, j: number): number => {
          const k = 4 * (j * now.width + i) + c;
          return now.data[k]! - before.data[k]!;
        };
        const above = at(column.low, row.low) * (1 - column.part) + at(column.high, row.low) * column.part;
        const below = at(column.low, row.high) * (1 - column.part) + at(column.high, row.high) * column.part;
        data[4 * (y * width + x) + c]! += above * (1 - row.part) + below * row.part;
      }
    }
  }
  return { data, width, height };
}

interface Tap {
  readonly low: number;
  readonly high: number;
  /** weight of `high`, [0,1] */
  readonly part: number;
}

const taps = (from: number, to: number): readonly Tap[] =>
  Array.from({ length: to }, (_, i) => {
    const at = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
    const low = Math.floor(at);
    return { low, high: Math.min(low + 1, from - 1), part: at - low };
  });
