/** Runs a graph once on onnxruntime-node. For tests and tools; the program itself runs graphs through runtime/. */
import * as ort from 'onnxruntime-node';
import { sizeOf } from '../util/nd-array';
import { type EncodeOptions, encode, requiredInputs } from './encode';
import type { ConstantData, Graph, Value } from './graph';
import { sameShape } from './shape';

export type TensorData = ConstantData | readonly number[];

/** Data per name, for the feeds and weights of a graph. */
export type Bindings = Readonly<Record<string, TensorData>> | ReadonlyMap<string, TensorData>;

const lookup = (bindings: Bindings, name: string): TensorData | undefined =>
  bindings instanceof Map ? bindings.get(name) : (bindings as Record<string, TensorData>)[name];

function tensor({ name, shape, dtype }: Value, bindings: Bindings): ort.Tensor {
  const data = lookup(bindings, name);
  if (!data) throw new Error(`no data for input ${name} [${shape}]`);
  if (data.length !== sizeOf(shape)) throw new Error(`${data.length} values for input ${name} [${shape}]`);
  if (dtype === 'int64')
    return new ort.Tensor('int64', BigInt64Array.from(data as BigInt64Array, BigInt), shape);
  if (dtype === 'bool') return new ort.Tensor('bool', Uint8Array.from(data as Uint8Array), shape);
  if (dtype === 'float16') return new ort.Tensor('float16', data as Uint16Array, shape);
  return new ort.Tensor(
    'float32',
    data instanceof Float32Array ? data : Float32Array.from(data as number[]),
    shape,
  );
}

/**
 * Output data in the order of `outputs` (int64 and bool as numbers).
 *
 * @throws Error when a shape or dtype differs from what the graph says
 */
export async function runOnNode(
  g: Graph,
  outputs: readonly Value[],
  bindings: Bindings = {},
  options: EncodeOptions & { readonly session?: ort.InferenceSession.SessionOptions } = {},
): Promise<Float32Array[]> {
  const { session: sessionOptions, ...encodeOptions } = options;
  const session = await ort.InferenceSession.create(encode(g, outputs, encodeOptions), {
    logSeverityLevel: 3,
    ...sessionOptions,
  });
  try {
    const { feeds, weights } = requiredInputs(g, outputs);
    const inputs = [...feeds, ...weights].filter((v) => session.inputNames.includes(v.name));
    const results = await session.run(Object.fromEntries(inputs.map((v) => [v.name, tensor(v, bindings)])));
    return outputs.map((v) => {
      const { data, dims, type } = results[v.name]!;
      if (!sameShape(dims, v.shape) || type !== v.dtype) {
        throw new Error(`${v.name} should be ${v.dtype}[${v.shape}] and is ${type}[${dims}]`);
      }
      return Float32Array.from(data as Float32Array, Number);
    });
  } finally {
    await session.release();
  }
}
