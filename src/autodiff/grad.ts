import type { Graph, Node, Value } from '../onnx/graph';
import { reshape } from '../onnx/movement';
import * as op from '../onnx/ops';
import { expectShape, sameShape } from '../onnx/shape';
import { AppError } from '../util/errors';
import { sizeOf } from '../util/nd-array';
import { zeros } from './movement';
import { type VjpTable, vjps } from './vjps';

/**
 * Append to g the nodes that compute d loss / d v for each v of `wrt`, in that order, with the shapes of `wrt`.
 * A value that the loss does not depend on gets zeros.
 *
 * @param loss  a value of one element; scale it before (loss scaling) and divide after
 * @param wrt   feeds, weights or intermediate values of g
 * @throws AppError SHAPE when the loss is not one number, GRAPH when an op on the way has no rule
 */
export function grad(g: Graph, loss: Value, wrt: readonly Value[], table: VjpTable = vjps): readonly Value[] {
  expectShape(sizeOf(loss.shape) === 1, 'grad', 'a loss is one number', loss);
  return pullback(g, [[loss, reshape(g, op.scalar(g, 1, loss.dtype), loss.shape)]], wrt, table);
}

/**
 * Reverse mode from given cotangents: Σ over `seeds` (y, dy) of dyᵀ·∂y/∂v for each v of `wrt`.
 * Only nodes that lie between `wrt` and the seeds are visited.
 */
export function pullback(
  g: Graph,
  seeds: readonly (readonly [Value, Value])[],
  wrt: readonly Value[],
  table: VjpTable = vjps,
): readonly Value[] {
  const [path, reached] = pathFrom(g, wrt);
  const cotangents = new Map<string, Value>();
  const accumulate = (name: string, d: Value): void => {
    const seen = cotangents.get(name);
    cotangents.set(name, seen ? op.add(g, seen, d) : d);
  };
  for (const [y, dy] of seeds) accumulate(y.name, dy);
  for (const node of path.toReversed()) {
    const dxs = pull(g, node, cotangents, table);
    node.inputs.forEach((x, i) => {
      const dx = dxs[i];
      if (dx && reached.has(x.name)) accumulate(x.name, unbroadcast(g, dx, x));
    });
  }
  return wrt.map((v) => cotangents.get(v.name) ?? zeros(g, v));
}

/** The nodes that depend on `wrt`, in order, and the names of all values on the way. */
function pathFrom(g: Graph, wrt: readonly Value[]): [Node[], ReadonlySet<string>] {
  const reached = new Set(wrt.map((v) => v.name));
  const path = g.nodes.filter((node) => {
    if (!node.inputs.some((v) => reached.has(v.name))) return false;
    for (const v of node.outputs) reached.add(v.name);
    return true;
  });
  return [path, reached];
}

function pull(
  g: Graph,
  node: Node,
  cotangents: ReadonlyMap<string, Value>,
  table: VjpTable,
): readonly (Value | null)[] {
  const dys = node.outputs.map((v) => cotangents.get(v.name));
  if (dys.every((dy) => dy === undefined)) return [];
  const rule = table[node.op];
  const y = node.outputs[0]!;
  if (!rule) throw new AppError('GRAPH', `no gradient rule for ${node.op} (which produces ${y.name})`);
  const dy = dys[0] ?? zeros(g, y);
  return rule({ g, x: node.inputs, y, dy, ys: node.outputs, dys, attrs: node.attrs });
}

/** Undo broadcasting: sum dx over the axes along which x was repeated. */
function unbroadcast(g: Graph, dx: Value, x: Value): Value {
  if (sameShape(dx.shape, x.shape)) return dx;
  const lead = dx.shape.length - x.shape.length;
  const axes = dx.shape.flatMap((d, i) => (i < lead || (x.shape[i - lead] === 1 && d !== 1) ? [i] : []));
  return reshape(g, axes.length ? op.reduceSum(g, dx, axes) : dx, x.shape);
}
