import { openSafetensors } from '../../src/formats/safetensors';
import type { Graph, Value } from '../../src/onnx/graph';
import { AppError } from '../../src/util/errors';
import type { NdArray } from '../../src/util/nd-array';
import { type Built, inputName, type Reference, recognise } from './components';
import { buildGradients, compareGradient } from './gradients';

/** One compared quantity. */
export interface ParityLine {
  readonly file: string;
  /** name of the reference tensor, e.g. 'out.sample' */
  readonly quantity: string;
  /** max|ours - reference| / max|reference|; null when it could not be computed */
  readonly relErr: number | null;
  /** gradients only: cosine of the angle between ours and the reference */
  readonly cosine?: number;
  readonly ok: boolean;
  /** why relErr is null */
  readonly error?: string;
}

/** Runs a graph on some backend: data for all feeds and (at least) all needed weights by name → the outputs' data, in order. */
export type RunGraph = (
  g: Graph,
  outputs: readonly Value[],
  feeds: ReadonlyMap<string, Float32Array>,
  weights: ReadonlyMap<string, Float32Array>,
) => Promise<readonly Float32Array[]>;

/** Largest relative error of a float32 forward. */
export const FORWARD_TOLERANCE = 1e-4;

/**
 * Compare our graphs with the reference tensors of one `tiny_*.safetensors` file (weights `w.*`, inputs `in.*`, outputs
 * `out.*`, gradients `grad.*`, `config` in the metadata). Needs no DOM and no Node.
 *
 * @throws AppError BAD_FILE | UNSUPPORTED_MODEL | MISSING_WEIGHT when nothing can be compared
 */
export async function parity(
  file: string,
  bytes: Uint8Array,
  run: RunGraph,
  what: 'all' | 'forward' = 'all',
): Promise<ParityLine[]> {
  const reference = await readReference(file, bytes);
  let best: { model: Built; lines: ParityLine[] } | undefined;
  for (const model of recognise(reference)) {
    const lines = await forwardParity(file, model, reference, run);
    if (!best || worst(lines) < worst(best.lines)) best = { model, lines };
  }
  if (what === 'forward') return best!.lines;
  return [...best!.lines, ...(await gradientParity(file, best!.model, reference, run))];
}

const worst = (lines: readonly ParityLine[]): number => Math.max(...lines.map(({ relErr }) => relErr ?? 0));

async function forwardParity(
  file: string,
  { g, outputs, feeds, weights }: Built,
  reference: Reference,
  run: RunGraph,
): Promise<ParityLine[]> {
  const quantities = [...reference.outputs.keys()];
  const built = quantities.filter((name) => outputs.has(name));
  const wanted = built.map((name) => outputs.get(name)!);
  const results = wanted.length === 0 ? [] : await run(g, wanted, feeds, weights);
  return quantities.map((quantity) => {
    const result = results[built.indexOf(quantity)];
    if (!result) return { file, quantity, relErr: null, ok: false, error: 'no graph computes this quantity' };
    const relErr = relativeError(result, reference.outputs.get(quantity)!.data);
    return { file, quantity, relErr, ok: relErr <= FORWARD_TOLERANCE };
  });
}

async function gradientParity(
  file: string,
  model: Built,
  { gradients, inputs }: Read,
  run: RunGraph,
): Promise<ParityLine[]> {
  if (gradients.size === 0) return [];
  const shapes = new Map([...gradients].map(([name, { shape }]) => [name, shape]));
  const built = buildGradients(model, [...gradients.keys()], inputs, shapes);
  const values = [...built.values()];
  const wanted = values.map(({ value }) => value);
  const results = wanted.length === 0 ? [] : await run(model.g, wanted, model.feeds, model.weights);
  const largest = Math.max(
    ...[...gradients.values()].map(({ data }) => data.reduce((m, v) => Math.max(m, Math.abs(v)), 0)),
  );
  return [...gradients].map(([name, { data }]) => {
    const quantity = `grad.${name}`;
    const at = values.indexOf(built.get(name)!);
    if (at < 0) return { file, quantity, relErr: null, ok: false, error: 'no input or weight has this name' };
    return { file, quantity, ...compareGradient(values[at]!.finish(results[at]!), data, largest) };
  });
}

/** A reference with its gradients, by name without the prefix `grad.` */
type Read = Reference & { readonly gradients: ReadonlyMap<string, NdArray> };

/** max|a-b| / max|b|; NaN counts as infinite. */
export function relativeError(ours: Float32Array, reference: Float32Array): number {
  if (ours.length !== reference.length) return Number.POSITIVE_INFINITY;
  let error = 0;
  let size = 0;
  for (let i = 0; i < ours.length; i++) {
    const difference = Math.abs(ours[i]! - reference[i]!);
    error = Math.max(error, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
    size = Math.max(size, Math.abs(reference[i]!));
  }
  return size === 0 ? error : error / size;
}

async function readReference(file: string, bytes: Uint8Array): Promise<Read> {
  const source = {
    name: file,
    size: bytes.length,
    read: async (begin: number, end: number) => bytes.subarray(begin, end),
  };
  const { metadata, tensors, readFloat32 } = await openSafetensors(source);
  const group = async (prefix: string): Promise<Map<string, NdArray>> => {
    const names = [...tensors.keys()].filter((name) => name.startsWith(prefix));
    return new Map(
      await Promise.all(
        names.map(async (name) => [name.slice(prefix.length), await readFloat32(name)] as const),
      ),
    );
  };
  const outputs = await group('out.');
  if (outputs.size === 0) throw new AppError('BAD_FILE', `${file} holds no reference outputs (out.*)`);
  return {
    metadata,
    weights: await group('w.'),
    inputs: new Map([...(await group('in.'))].map(([name, value]) => [inputName(name), value])),
    gradients: await group('grad.'),
    outputs: new Map([...outputs].map(([name, value]) => [`out.${name}`, value])),
  };
}
