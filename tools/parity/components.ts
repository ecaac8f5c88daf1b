/** How each kind of reference file maps to our builders. */
import { timestepEmbedding } from '../../src/models/embeddings';
import { fromInputs } from '../../src/models/params';
import { unet, unetInputs } from '../../src/models/unet';
import { parseUNetConfig } from '../../src/models/unet-config';
import { Graph, type Value } from '../../src/onnx/graph';
import * as op from '../../src/onnx/ops';
import { AppError } from '../../src/util/errors';
import type { NdArray } from '../../src/util/nd-array';

export interface Reference {
  readonly metadata: Readonly<Record<string, string>>;
  /** by state-dict key */
  readonly weights: ReadonlyMap<string, NdArray>;
  /** without the prefix `in.` */
  readonly inputs: ReadonlyMap<string, NdArray>;
  /** with the prefix `out.` */
  readonly outputs: ReadonlyMap<string, NdArray>;
}

export interface Built {
  readonly g: Graph;
  /** by quantity, e.g. 'out.sample' */
  readonly outputs: ReadonlyMap<string, Value>;
  readonly feeds: ReadonlyMap<string, Float32Array>;
  /** under the names the builders ask for */
  readonly weights: ReadonlyMap<string, Float32Array>;
}

/** Build the graphs for a reference file. @throws AppError UNSUPPORTED_MODEL when it is none we know */
export function recognise(reference: Reference): Built {
  const config: unknown = JSON.parse(reference.metadata.config ?? '{}');
  return buildUNet(reference, config);
}

function input({ inputs }: Reference, name: string): NdArray {
  const value = inputs.get(name);
  if (!value) throw new AppError('BAD_FILE', `the reference file has no in.${name}`);
  return value;
}

function buildUNet(reference: Reference, json: unknown): Built {
  const config = parseUNetConfig(json);
  const sample = input(reference, 'sample');
  const prompt = input(reference, 'encoder_hidden_states');
  const [batch, , height, width] = sample.shape as [number, number, number, number];
  const g = new Graph();
  const inputs = unetInputs(g, config, { batch, height, width, tokens: prompt.shape[1]! });
  const y = unet(g, fromInputs(g), inputs, config);
  const t = input(reference, 'timestep').data;
  const feeds = new Map([
    ['sample', sample.data],
    ['encoder_hidden_states', prompt.data],
    ['time_embedding', timestepEmbedding([...t], inputs.timeEmbedding.shape[1]!, config).data],
  ]);
  const outputs = new Map([['out.sample', y]]);
  const target = reference.inputs.get('target');
  if (target) {
    const difference = op.sub(g, y, g.feed('target', target.shape));
    outputs.set('out.loss', op.reduceMean(g, op.mul(g, difference, difference), [0, 1, 2, 3], false));
    feeds.set('target', target.data);
  }
  if (inputs.timestepCond) feeds.set('timestep_cond', input(reference, 'timestep_cond').data);
  return { g, outputs, feeds, weights: new Map([...reference.weights].map(([k, v]) => [k, v.data])) };
}
