import { Graph, type Shape } from '../onnx/graph';
import { AppError } from '../util/errors';
import { sizeOf } from '../util/nd-array';
import { fromInputs, type Params } from './params';

/** State-dict key → shape. */
export type WeightTable = ReadonlyMap<string, Shape>;

/** Every weight that a builder asks for, found by running it: the builder is the only source of names and shapes. */
export function recordWeights(build: (g: Graph, params: Params) => unknown): WeightTable {
  const g = new Graph();
  build(g, fromInputs(g));
  return new Map([...g.weights.values()].map(({ name, shape }) => [name, shape]));
}

export interface WeightMatch {
  /** our name → the file's key */
  readonly keys: ReadonlyMap<string, string>;
  /** keys of the file that nothing asks for */
  readonly unexpected: readonly string[];
}

/**
 * Compare what a model needs with what a file holds, before anything is allocated. Axes of size 1 at the end do not
 * count: [C,C,1,1] and [C,C] are the same numbers in the same order.
 *
 * @param canonical  the file's key → our name; null: ignore it
 * @throws AppError MISSING_WEIGHT with details {missing, mismatched, unexpected}
 */
export function checkWeights(
  expected: WeightTable,
  tensors: ReadonlyMap<string, { readonly shape: Shape }>,
  canonical: (key: string) => string | null = (key) => key,
): WeightMatch {
  const keys = new Map<string, string>();
  const unexpected: string[] = [];
  const mismatched: string[] = [];
  for (const [key, { shape }] of tensors) {
    const name = canonical(key);
    if (name === null) continue;
    const wanted = expected.get(name);
    if (!wanted || keys.has(name)) unexpected.push(key);
    else {
      keys.set(name, key);
      if (!sameLayout(wanted, shape)) mismatched.push(`${key}: expected [${wanted}], found [${shape}]`);
    }
  }
  const missing = [...expected.keys()].filter((name) => !keys.has(name));
  if (missing.length + mismatched.length > 0) {
    const parts = [
      missing.length > 0 && `${missing.length} missing (${summary(missing)})`,
      mismatched.length > 0 && `${mismatched.length} of another shape (${summary(mismatched)})`,
      unexpected.length > 0 && `${unexpected.length} unexpected (${summary(unexpected)})`,
    ];
    const message = `the weights do not fit the configuration: ${parts.filter(Boolean).join(', ')}`;
    throw new AppError('MISSING_WEIGHT', message, { missing, mismatched, unexpected });
  }
  return { keys, unexpected };
}

const sameLayout = (a: Shape, b: Shape): boolean => {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  return short.every((d, i) => d === long[i]) && sizeOf(long.slice(short.length)) === 1;
};

const summary = (names: readonly string[]): string =>
  names.slice(0, 3).join(', ') + (names.length > 3 ? ', …' : '');
