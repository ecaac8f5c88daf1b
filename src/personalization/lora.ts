import type { Params } from '../models/params';
import type { WeightTable } from '../models/weights';
import type { Graph } from '../onnx/graph';
import { reshape } from '../onnx/movement';
import * as op from '../onnx/ops';
import type { Trainables } from '../training/trainable';
import { type NdArray, ndArray, sizeOf, zeros } from '../util/nd-array';
import { createTorchRng } from '../util/random';

/** Names of the two factors of a weight's update, in PEFT's manner: A [r,in] and B [out,r]. */
export const factorNames = (weight: string): readonly [string, string] => {
  const path = weight.replace(/\.weight$/, '');
  return [`${path}.lora_A.weight`, `${path}.lora_B.weight`];
};

/** Factors for all weights whose names match: A ~ N(0, 1/r²), B = 0, so that training starts at the model itself. */
export function loraFactors(table: WeightTable, targets: RegExp, rank: number, seed: number): Trainables {
  const matching = [...table].filter(([name]) => targets.test(name)).sort(([a], [b]) => (a < b ? -1 : 1));
  return new Map(
    matching.flatMap(([name, [out, ...inner]], i) => {
      const [a, b] = factorNames(name);
      const width = sizeOf(inner);
      const start = async (): Promise<NdArray> => {
        const normal = createTorchRng(seed + i).randn(rank * width);
        return ndArray(
          normal.map((v) => v / rank),
          [rank, width],
        );
      };
      return [
        [a, { shape: [rank, width], start }],
        [b, { shape: [out!, rank], start: async () => zeros([out!, rank]) }],
      ] as const;
    }),
  );
}

/** W + scale·B·A wherever `factors` has a pair for W. */
export function withLora(g: Graph, params: Params, factors: Trainables, scale: number): Params {
  return (name, shape) => {
    const weight = params(name, shape);
    const [a, b] = factorNames(name);
    const [down, up] = [factors.get(a), factors.get(b)];
    if (!down || !up) return weight;
    const matrix = reshape(g, op.cast(g, weight, 'float32'), [shape[0]!, -1]);
    const sum = op.gemm(g, params(b, up.shape), params(a, down.shape), matrix, { alpha: scale });
    return op.cast(g, reshape(g, sum, shape), weight.dtype);
  };
}

/** The same on the host: what a concept's overlay holds. */
export function mergeLora(weight: NdArray, a: NdArray, b: NdArray, scale: number): NdArray {
  const [rank, width] = a.shape as readonly [number, number];
  const data = weight.data.slice();
  for (let row = 0; row < b.shape[0]!; row++) {
    for (let r = 0; r < rank; r++) {
      const factor = scale * b.data[row * rank + r]!;
      for (let i = 0; i < width; i++) data[row * width + i]! += factor * a.data[r * width + i]!;
    }
  }
  return { data, shape: weight.shape };
}
