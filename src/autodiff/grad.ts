import type { Graph, Node, Value } from '../onnx/graph';
import { reshape } from '../onnx/movement';
import * as op from '../onnx/ops';
import { expectShape, sameShape } from '../onnx/shape';
import { AppError } from '../util/errors';
import { sizeOf } from '../util/nd-array';
import { zeros } from './movement';
import { type Recompute, recomputed } from './remat';
import { type VjpTable, vjps } from './vjps';

export interface GradOptions {
  /** gradient rules; default the ones of vjps.ts */
  readonly table?: VjpTable;
  /** regions of the graph whose values are computed again instead of kept; default none */
  readonly recompute?: Recompute;
}

/**
 * Append to g the nodes that compute d loss / d v for each v of `wrt`, in that order, with the shapes of `wrt`.
 * A value that the loss does not depend on gets zeros.
 *
 * @param loss  a value of one element; scale it before (loss scaling) and divide after
 * @param wrt   feeds, weights or intermediate values of g
 * @throws AppError SHAPE when the loss is not one number, GRAPH when an op on the way has no rule
 */
export function grad(
  g: Graph,
  loss: Value,
  wrt: readonly Value[],
  options: GradOptions = {},
): readonly Value[] {
  expectShape(sizeOf(loss.shape) === 1, 'grad', 'a loss is one number', loss);
  return pullback(g, [[loss, reshape(g, op.scalar(g, 1, loss.dtype), loss.shape)]], wrt, options);
}

/**
 * Reverse mode from given cotangents: Σ over `seeds` (y, dy) of dyᵀ·∂y/∂v for each v of `wrt`.
 * Only nodes that lie between `wrt` and the seeds are visited.
 */
export function pullback(
  g: Graph,
  seeds: readonly (readonly [Value, Value])[],
  wrt: readonly Value[],
  { table = vjps, recompute = [] }: GradOptions = {},
): readonly Value[] {
  const reached = new Set(wrt.map(({ name }) => name));
  const path = g.nodes.map((node) => leads(g, node, reached));
  const cotangents = new Map<string, Value>();
  const accumulate = (name: string, d: Value): void => {
    const seen = cotangents.get(name);
    cotangents.set(name, seen ? op.add(g, seen, d) : d);
  };
  for (const [y, dy] of seeds) accumulate(y.name, dy);
  const visit = (node: Node, at: number, values: (v: Value) => Value): void => {
    if (!path[at]) return;
    const dxs = pull(g, node, cotangents, values, table);
    node.inputs.forEach((x, i) => {
      const dx = dxs[i];
      if (dx && reached.has(x.name)) accumulate(x.name, unbroadcast(g, dx, x));
    });
  };
  recomputed(g, recompute, cotangents, visit);
  return wrt.map((v) => cotangents.get(v.name) ?? zeros(g, v));
}

/** Does the node depend on a reached value? Then its outputs are reached too. */
function leads(g: Graph, node: Node, reached: Set<string>): boolean {
  if (!node.inputs.some(({ name }) => reached.has(name))) return false;
  if (node.outputs.some(({ name }) => g.detached.has(name))) return false;
  for (const { name } of node.outputs) reached.add(name);
  return true;
}

/** Cotangents of a node's inputs; `values` gives the values that its rule may read. */
function pull(
  g: Graph,
  node: Node,
  cotangents: ReadonlyMap<string, Value>,
  values: (v: Value) => Value,
  table: VjpTable,
): readonly (Value | null)[] {
  const dys = node.outputs.map(({ name }) => cotangents.get(name));
  if (dys.every((dy) => dy === undefined)) return [];
  const rule = table[node.op];
  const ys = node.outputs.map(values);
  const y = ys[0]!;
  if (!rule) throw new AppError('GRAPH', `no gradient rule for ${node.op} (which produces ${y.name})`);
  return rule({ g, x: node.inputs.map(values), y, dy: dys[0] ?? zeros(g, y), ys, dys, attrs: node.attrs });
}

/** Undo broadcasting: sum dx over the axes along which x was repeated. */
function unbroadcast(g: Graph, dx: Value, x: Value): Value {
  if (sameShape(dx.shape, x.shape)) return dx;
  const lead = dx.shape.length - x.shape.length;
  const axes = dx.shape.flatMap((d, i) => (i < lead || (x.shape[i - lead] === 1 && d !== 1) ? [i] : []));
  return reshape(g, axes.length ? op.reduceSum(g, dx, axes) : dx, x.shape);
}
