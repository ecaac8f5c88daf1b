import { AppError } from '../util/errors';
import { type NdArray, sizeOf } from '../util/nd-array';

/** W' = W + scale · up · down, the product laid over W's memory whatever its rank (a convolution is [out, in·k·k]). */
export interface LowRankChange {
  readonly kind: 'low-rank';
  /** state-dict key of the weight, e.g. '….attn2.to_k.weight' */
  readonly name: string;
  /** [r, in] */
  readonly down: NdArray;
  /** [out, r] */
  readonly up: NdArray;
  /** alpha / r */
  readonly scale: number;
}

/** W' = W + value. */
export interface AddChange {
  readonly kind: 'add';
  readonly name: string;
  /** shape of the weight */
  readonly value: NdArray;
}

/** W' = value. */
export interface ReplaceChange {
  readonly kind: 'replace';
  readonly name: string;
  /** shape of the weight */
  readonly value: NdArray;
}

/** What a concept does to one weight of its base. */
export type WeightChange = LowRankChange | AddChange | ReplaceChange;

/** The rank r of a low-rank change. */
export const rankOf = ({ down }: LowRankChange): number => down.shape[0]!;

/** up · down, float32 [out, in], summed in double. @throws AppError SHAPE */
export function product({ name, down, up }: Omit<LowRankChange, 'kind' | 'scale'>): NdArray {
  const [r, width] = down.shape as readonly [number, number];
  const [out, inner] = up.shape as readonly [number, number];
  if (inner !== r) throw new AppError('SHAPE', `${name}: [${up.shape}] and [${down.shape}] do not multiply`);
  const data = new Float32Array(out * width);
  const row = new Float64Array(width);
  for (let o = 0; o < out; o++) {
    row.fill(0);
    for (let k = 0; k < r; k++) {
      const u = up.data[o * r + k]!;
      for (let i = 0, at = k * width; i < width; i++, at++) row[i]! += u * down.data[at]!;
    }
    data.set(row, o * width);
  }
  return { data, shape: [out, width] };
}

/** The weight after a change; `weight` is left as it is. @throws AppError SHAPE */
export function applyChange(weight: NdArray, change: WeightChange): NdArray {
  const { shape } = weight;
  const fits = (size: number): void => {
    if (size !== sizeOf(shape)) {
      throw new AppError('SHAPE', `${change.name}: a change of ${size} values does not fit [${shape}]`);
    }
  };
  if (change.kind === 'replace') {
    fits(change.value.data.length);
    return { data: change.value.data, shape };
  }
  const { data } = change.kind === 'add' ? change.value : product(change);
  const scale = change.kind === 'add' ? 1 : change.scale;
  fits(data.length);
  return { data: weight.data.map((w, i) => w + scale * data[i]!), shape };
}
