/** The scalar that a reference file's gradients are of. */
import type { Graph, Value } from '../../src/onnx/graph';
import * as op from '../../src/onnx/ops';
import { sameShape } from '../../src/onnx/shape';

/** What a loss may be of, most likely first. */
const MAIN_OUTPUTS = [
  'out.sample',
  'out.decoded',
  'out.image_embeds',
  'out.last_hidden_state',
  'out.text_embeds',
  'out.pooler_output',
  'out.latents',
  'out.mean',
  'out.moments',
];

/**
 * Mean squared error between the file's target and the main output of that shape; without a target, the mean square of
 * the main output. Declares the feed 'target'.
 *
 * @param target  shape of `in.target`, if the file has one
 */
export function lossOf(
  g: Graph,
  outputs: ReadonlyMap<string, Value>,
  target: readonly number[] | undefined,
): Value | undefined {
  const built = MAIN_OUTPUTS.flatMap((name) => outputs.get(name) ?? []);
  const y = target ? built.find(({ shape }) => sameShape(shape, target)) : built[0];
  if (!y) return undefined;
  const difference = target ? op.sub(g, y, g.feed('target', target)) : y;
  return op.reduceMean(g, op.mul(g, difference, difference), [...y.shape.keys()], false);
}
