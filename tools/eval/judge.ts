/** The independent classifier of toys that tools/starter/classifier.py trains: names the class in a picture. */
import { openAsBlob } from 'node:fs';
import { join } from 'node:path';
import { openSafetensors } from '../../src/formats/safetensors';
import { conv2d, linear } from '../../src/models/layers';
import { fromInputs, type Net, noTap } from '../../src/models/params';
import { Graph, type Value } from '../../src/onnx/graph';
import { concat } from '../../src/onnx/movement';
import * as op from '../../src/onnx/ops';
import type { Backend } from '../../src/runtime/backend';
import { compile } from '../../src/runtime/session';
import { WeightStore } from '../../src/runtime/weights';
import { fileSource } from '../../src/util/byte-source';
import type { NdArray } from '../../src/util/nd-array';

export interface Judge {
  readonly classes: readonly string[];
  /** px: the side of the pictures that it takes */
  readonly size: number;
  /** logits, one per class, of a picture [1,3,size,size] in [-1,1] */
  logits(picture: NdArray): Promise<Float32Array>;
}

const SIZE = 128;
/** Output channels and stride of each convolution; the first is 5×5. */
const BODY = [
  [40, 2],
  [64, 2],
  [64, 1],
  [96, 2],
  [96, 1],
  [128, 2],
  [128, 1],
  [192, 1],
] as const;

export async function openJudge(backend: Backend): Promise<Judge> {
  const path = join(import.meta.dirname, 'judge.safetensors');
  const file = await openSafetensors(fileSource('judge.safetensors', await openAsBlob(path)));
  const classes: string[] = JSON.parse(file.metadata.classes!);
  const shapes = new Map([...file.tensors].map(([key, { shape }]) => [key, shape]));
  const weights = new WeightStore(backend, { shapes, load: file.readFloat32 }, { label: 'judge' });
  const g = new Graph();
  const net: Net = { g, params: fromInputs(g), tap: noTap };
  const output = network(net, g.feed('picture', [1, 3, SIZE, SIZE]), classes.length);
  const program = await compile(g, { output }, weights, { label: weights.label });
  return {
    classes,
    size: SIZE,
    logits: async (picture) => (await program.run({ picture })).output!.data as Float32Array,
  };
}

function network(net: Net, picture: Value, classes: number): Value {
  const { g } = net;
  let x = op.averagePool(g, picture, [2, 2], { strides: [2, 2] });
  for (const [i, [channels, stride]] of BODY.entries()) {
    const kernel = i === 0 ? 5 : 3;
    x = op.relu(g, conv2d(net, `body.${i}`, x, channels, { kernel, stride }));
  }
  const pooled = [op.reduceMean, op.reduceMax].map((reduce) => reduce(g, x, [2, 3], false));
  return linear(net, 'class', concat(g, pooled, 1), classes);
}
