import { Graph, type Shape, type Value } from '../onnx/graph';
import { reshape, resize, transpose } from '../onnx/movement';
import { add, conv, instanceNormalization, matMul, mul, scalar, softmax } from '../onnx/ops';
import { AppError } from '../util/errors';
import { type NdArray, sizeOf } from '../util/nd-array';
import type { Backend } from './backend';
import expected from './self-test.golden.json';
import { compile } from './session';
import { WeightStore } from './weights';

/** Sums of ~150 products in float32 differ between kernels by about 1e-6 of their size; broken kernels are far off. */
const TOLERANCE = 1e-3;

/**
 * Run the kinds of node that networks are made of (convolutions of stride 1 and 2, instance norm, transpose, attention,
 * nearest resize) and compare with numbers from PyTorch. Some drivers compute these wrongly without any error: Adreno's
 * tiled transpose, subgroups on older mobile GPUs.
 *
 * @throws AppError NUMERIC when the numbers differ; whatever compiling and running throw
 */
export async function selfTest(backend: Backend): Promise<void> {
  const { graph, output, feeds } = network();
  const none = new WeightStore(
    backend,
    { shapes: new Map(), load: () => Promise.reject() },
    { label: 'self-test' },
  );
  const program = await compile(graph, { y: output }, none);
  try {
    const { y } = await program.run(feeds);
    const error = Math.max(...expected.map((value, i) => Math.abs(y!.data[i]! - value)));
    if (!(error < TOLERANCE)) {
      throw new AppError('NUMERIC', `known numbers came out ${error.toPrecision(3)} off`, { error });
    }
  } finally {
    await program.dispose();
  }
}

/** Mirrors tools/oracle/self_test.py. */
function network(): { graph: Graph; output: Value; feeds: Record<string, NdArray> } {
  const g = new Graph();
  const feeds: Record<string, NdArray> = {};
  const feed = (name: string, scale: number, phase: number, shape: Shape): Value => {
    feeds[name] = { data: wave(scale, phase, sizeOf(shape)), shape };
    return g.feed(name, shape);
  };
  const x = feed('x', 1, 0, [1, 8, 8, 8]);
  const w1 = feed('w1', 0.2, 1, [16, 8, 3, 3]);
  const w2 = feed('w2', 0.2, 2, [16, 16, 3, 3]);
  const w3 = feed('w3', 0.5, 3, [1, 16, 1, 1]);

  const h = conv(g, x, w1, undefined, { pads: [1, 1, 1, 1] });
  const ones = g.constant(new Float32Array(16).fill(1), [16]);
  const zeros = g.constant(new Float32Array(16), [16]);
  const n = instanceNormalization(g, h, ones, zeros, 1e-5);
  const s = conv(g, n, w2, undefined, { pads: [1, 1, 1, 1], strides: [2, 2] });
  const tokens = transpose(g, reshape(g, s, [16, 16]), [1, 0]);
  const scores = mul(g, matMul(g, tokens, transpose(g, tokens, [1, 0])), scalar(g, 0.25));
  const attended = matMul(g, softmax(g, scores), tokens);
  const up = resize(g, reshape(g, transpose(g, attended, [1, 0]), [1, 16, 4, 4]), [8, 8]);
  return { graph: g, output: conv(g, add(g, up, h), w3), feeds };
}

const wave = (scale: number, phase: number, length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => scale * Math.sin(0.7 * i ** 1.1 + phase));
