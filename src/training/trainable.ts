import { fromInputs, type Params } from '../models/params';
import type { WeightTable } from '../models/weights';
import type { Graph } from '../onnx/graph';
import { type WeightSource, WeightStore } from '../runtime/weights';
import type { NdArray } from '../util/nd-array';

/** A weight that trains and how it starts. */
export interface Trainable {
  readonly shape: readonly number[];
  readonly start: () => Promise<NdArray>;
}

export type Trainables = ReadonlyMap<string, Trainable>;

/** The weights of a model whose names match, each starting as it is. */
export function copiesOf(table: WeightTable, pattern: RegExp, weights: WeightStore): Trainables {
  const names = [...table].filter(([name]) => pattern.test(name));
  return new Map(names.map(([name, shape]) => [name, { shape, start: () => weights.read(name) }]));
}

/** A float32 store that owns the trainables; everything else is read from the stores beneath, which stay as they are. */
export function trainingStore(trainables: Trainables, beneath: readonly WeightStore[]): WeightStore {
  const source: WeightSource = {
    shapes: new Map([...trainables].map(([name, { shape }]) => [name, shape])),
    load: (name) => trainables.get(name)!.start(),
  };
  return new WeightStore(beneath[0]!.backend, source, { label: 'concept' }, beneath);
}

/** Weights as inputs: trainables in float32, the others as their store holds them. */
export function trainingParams(g: Graph, trainables: Trainables, dtype: 'float32' | 'float16'): Params {
  const [own, frozen] = [fromInputs(g), fromInputs(g, dtype)];
  return (name, shape) => (trainables.has(name) ? own : frozen)(name, shape);
}
