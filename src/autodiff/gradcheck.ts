/** Finite-difference check of gradient rules along one random direction per input. For tests. */
import { Graph, type Shape, type Value } from '../onnx/graph';
import { sizeOf } from '../util/nd-array';
import { pullback } from './grad';
import { type VjpTable, vjps } from './vjps';

/** A differentiable function of float32 inputs, and where to check it. */
export interface GradCase {
  readonly shapes: readonly Shape[];
  readonly f: (g: Graph, ...x: readonly Value[]) => Value;
  /** keep inputs in [0.5, ∞) */
  readonly positive?: boolean;
  /** step of the central difference; larger where outputs are rounded to half precision. Default 5e-3 */
  readonly epsilon?: number;
}

/** Brings a graph to where it runs; the result computes `outputs` in order. */
export type CompileGraph = (
  g: Graph,
  outputs: readonly Value[],
) => Promise<(feeds: Readonly<Record<string, Float32Array>>) => Promise<readonly Float32Array[]>>;

/**
 * Relative error per input between ⟨u, vjp(c)⟩ and ⟨(f(x+εu) − f(x−εu))/2ε, c⟩ for a fixed c and one random direction u,
 * in the manner of JAX's `check_vjp`. u leans towards the claimed gradient, so that the products never cancel by chance.
 * Inner products are taken on the host in double precision.
 */
export async function gradcheck(
  { shapes, f, positive = false, epsilon = 5e-3 }: GradCase,
  compile: CompileGraph,
  table: VjpTable = vjps,
): Promise<readonly number[]> {
  const normal = gaussian(1);
  const g = new Graph();
  const xs = shapes.map((shape, i) => g.feed(`x${i}`, shape));
  const y = f(g, ...xs);
  const c = normal(sizeOf(y.shape));
  const dxs = pullback(g, [[y, g.feed('c', y.shape)]], xs, { table });
  const run = await compile(g, [y, ...dxs]);

  const point = shapes.map((shape) => normal(sizeOf(shape)).map((v) => (positive ? Math.abs(v) + 0.5 : v)));
  const [, ...gradients] = await run({ ...named(point), c });
  const errors: number[] = [];
  for (const [i, gradient] of gradients.entries()) {
    const n = normal(gradient.length);
    const lean = norm(n) / Math.max(norm(gradient), 1e-30);
    const u = n.map((v, j) => (v + lean * gradient[j]!) / 2);
    const at = async (step: number): Promise<number> => {
      const moved = point.map((x, k) => (k === i ? x.map((v, j) => v + step * u[j]!) : x));
      return dot((await run({ ...named(moved), c }))[0]!, c);
    };
    const numeric = ((await at(epsilon)) - (await at(-epsilon))) / (2 * epsilon);
    const analytic = dot(gradient, u);
    errors.push(Math.abs(numeric - analytic) / Math.max(Math.abs(numeric), Math.abs(analytic), 1e-30));
  }
  return errors;
}

const norm = (a: Float32Array): number => Math.sqrt(dot(a, a));

const named = (data: readonly Float32Array[]) => Object.fromEntries(data.map((x, i) => [`x${i}`, x]));

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Reproducible normal numbers: a linear congruential generator and Box–Muller. */
export function gaussian(seed: number): (count: number) => Float32Array {
  let state = seed;
  const uniform = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 0) / 2 ** 32;
  };
  return (count) =>
    Float32Array.from({ length: count }, () => {
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
      return radius * Math.cos(2 * Math.PI * uniform());
    });
}
