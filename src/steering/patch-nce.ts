/** PatchNCE: a place of one picture should look like the same place of another, and unlike its other places. */
import { fromTokens } from '../onnx/composites';
import type { Graph, Value } from '../onnx/graph';
import { gather, reshape, transpose } from '../onnx/movement';
import * as op from '../onnx/ops';

/** METHOD.md E8 */
export const TEMPERATURE = 0.07;
/** sides of the squares of places that are averaged before they are compared; METHOD.md E8 */
export const PATCH_SIZES = [1, 2] as const;

/** Where features are compared: squares of `size` places, at `indices` int64 [n,1] of those squares in reading order. */
export interface Patches {
  readonly height: number;
  readonly width: number;
  readonly size: number;
  readonly indices: Value;
}

/** Unit feature vectors [n,C] at the patches of tokens [1,N,C]. */
function patchVectors(g: Graph, tokens: Value, { height, width, size, indices }: Patches): Value {
  const channels = tokens.shape[2]!;
  let rows = reshape(g, tokens, [-1, channels]);
  if (size > 1) {
    const map = fromTokens(g, rows, [1, channels, height, width]);
    const pooled = op.averagePool(g, map, [size, size], { strides: [size, size] });
    rows = reshape(g, transpose(g, pooled, [0, 2, 3, 1]), [-1, channels]);
  }
  // [n,1]: the shape that the gradient scatters by; WebGPU has no kernel that reshapes integers
  const chosen = reshape(g, gather(g, rows, indices, 0), [-1, channels]);
  const length = op.sqrt(g, op.reduceSumSquare(g, chosen, [1]));
  return op.div(g, chosen, op.add(g, length, op.scalar(g, 1e-7)));
}

/**
 * mean_i −log( exp(s_ii/τ) / Σ_j exp(s_ij/τ) ) with s_ij = ⟨source_i, target_j⟩: each source patch must find the target
 * patch at its own place among all of those drawn. No gradient flows to the source.
 *
 * @param source,target  features [1,N,C], float32
 * @returns  a scalar
 * @see METHOD.md E8; Park et al. 2020, "Contrastive Learning for Unpaired Image-to-Image Translation", arXiv:2007.15651
 */
export function patchNce(g: Graph, source: Value, target: Value, patches: Patches): Value {
  const from = op.detach(g, patchVectors(g, source, patches));
  const to = patchVectors(g, target, patches);
  const scaled = op.mul(g, from, op.scalar(g, 1 / TEMPERATURE));
  // |s/τ| ≤ 14.3: exp stays far inside float32
  const scores = op.gemm(g, scaled, to, undefined, { transB: true });
  const all = op.log(g, op.reduceSum(g, op.exp(g, scores), [1]));
  const own = op.reduceSum(g, op.mul(g, scaled, to), [1]);
  return op.reduceMean(g, op.sub(g, all, own), [0, 1], false);
}
