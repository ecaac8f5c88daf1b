import { type Attrs, Graph, type Node, type Shape, type Value } from '../onnx/graph';
import { sizeOf } from '../util/nd-array';

/** A graph whose convolutions by constant kernels are rewritten, and the constants that it takes instead. */
export interface Lowered {
  readonly graph: Graph;
  /** by name in the graph */
  readonly derived: ReadonlyMap<string, Derived>;
}

/** A constant computed from a weight. */
export interface Derived {
  readonly from: string;
  /** bytes of the weight → bytes of the constant */
  readonly convert: (weight: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
}

type Matrix = readonly (readonly number[])[];

// F(2×2, 3×3): Y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A for 4×4 patches d of stride 2, with the rows of G (1,0,0), ½(1,1,1), ½(1,-1,1),
// (0,0,1) (Lavin and Gray 2015, arXiv:1509.09308, eq. 8–10).
const BT: Matrix = [
  [1, 0, -1, 0],
  [0, 1, 1, 0],
  [0, -1, 1, 0],
  [0, 1, 0, -1],
];
const AT: Matrix = [
  [1, 1, 1, 0],
  [0, 1, -1, -1],
];

/** With fewer channels (geometric mean of in and out) moving patches about, which ORT does on one thread, eats the gain. */
const MIN_CHANNELS = 96;

/**
 * Replace 3×3 convolutions of stride 1 whose kernel is frozen by Winograd's F(2×2, 3×3): 2.25 times fewer
 * multiplications, for WASM, whose 128-bit SIMD without fused multiply-add runs ORT's own convolution at the machine's
 * peak. The patches are transformed by a depthwise convolution, the results by a depthwise transposed one. Sums are
 * taken in another order: results differ by rounding.
 *
 * @param frozen  which weights are constants
 */
export function lowerConvolutions(graph: Graph, frozen: (name: string) => boolean): Lowered {
  const lowered = new Graph();
  const derived = new Map<string, Derived>();
  lowered.feeds.push(...graph.feeds);
  for (const [name, value] of graph.weights) lowered.weights.set(name, value);
  for (const [name, constant] of graph.constants) lowered.constants.set(name, constant);
  for (const node of graph.nodes) {
    const kernel = node.inputs[1];
    if (fits(node) && graph.weights.has(kernel!.name) && frozen(kernel!.name))
      rewrite(lowered, derived, node);
    else lowered.nodes.push(node);
  }
  return { graph: lowered, derived };
}

function fits({ op, inputs, attrs }: Node): boolean {
  if (op !== 'Conv') return false;
  const [x, w] = inputs as readonly [Value, Value];
  return (
    x.dtype === 'float32' &&
    x.shape.length === 4 &&
    x.shape.slice(2).every((side) => side % 2 === 0) &&
    sizeOf(w.shape) / 9 >= MIN_CHANNELS ** 2 &&
    JSON.stringify([attrs.kernel_shape, attrs.strides, attrs.pads, attrs.dilations, attrs.group]) ===
      '[[3,3],[1,1],[1,1,1,1],[1,1],1]'
  );
}

/** Append what the convolution computes, under the convolution's own output name. */
function rewrite(g: Graph, derived: Map<string, Derived>, node: Node): void {
  const [x, w, ...bias] = node.inputs as readonly [Value, Value, ...Value[]];
  const [y] = node.outputs as readonly [Value];
  const [batch, channels, height, width] = x.shape as readonly [number, number, number, number];
  const out = w.shape[0]!;
  const [h, wide] = [height / 2, width / 2];
  let count = 0;
  const named = (shape: Shape, dtype: Value['dtype'] = 'float32'): Value => ({
    name: `${y.name}.${count++}`,
    shape,
    dtype,
  });
  const append = (op: string, inputs: readonly Value[], output: Value, attrs: Attrs = {}): Value => {
    g.nodes.push({ op, domain: '', inputs, outputs: [output], attrs });
    return output;
  };
  const constant = (value: Value, data: BigInt64Array | Float32Array): Value => {
    g.constants.set(value.name, { value, data });
    return value;
  };
  const reshape = (value: Value, shape: Shape): Value =>
    append(
      'Reshape',
      [value, constant(named([shape.length], 'int64'), BigInt64Array.from(shape, BigInt))],
      named(shape),
    );

  /** the same transform for every channel: Bᵀ·B as 16 kernels of 4×4 */
  const spread = constant(named([16 * channels, 1, 4, 4]), repeat(kron(BT).flat(), channels));
  const patches = append('Conv', [x, spread], named([batch, 16 * channels, h, wide]), {
    kernel_shape: [4, 4],
    strides: [2, 2],
    pads: [1, 1, 1, 1],
    dilations: [1, 1],
    group: channels,
  });
  const perChannel = reshape(patches, [batch, channels, 16, h * wide]);
  const perPlace = append('Transpose', [perChannel], named([16, batch, channels, h * wide]), {
    perm: [2, 0, 1, 3],
  });

  const kernel = { name: `${w.name} (winograd)`, shape: [16, 1, out, channels], dtype: w.dtype };
  g.weights.set(kernel.name, kernel);
  derived.set(kernel.name, { from: w.name, convert: (bytes) => transformKernels(bytes, out * channels) });
  const products = append('MatMul', [kernel, perPlace], named([16, batch, out, h * wide]));

  const perOutput = append('Transpose', [products], named([batch, out, 16, h * wide]), {
    perm: [1, 2, 0, 3],
  });
  const places = reshape(perOutput, [batch, 16 * out, h, wide]);
  /** Aᵀ·A: each of 16 places adds to a 2×2 block */
  const gather = constant(named([16 * out, 1, 2, 2]), repeat(transposed(kron(AT)).flat(), out));
  append('ConvTranspose', [places, gather, ...bias], y, {
    kernel_shape: [2, 2],
    strides: [2, 2],
    pads: [0, 0, 0, 0],
    dilations: [1, 1],
    group: out,
  });
}

/** m ⊗ m: applies m to both axes of a flattened square. */
const kron = (m: Matrix): Matrix => m.flatMap((a) => m.map((b) => a.flatMap((s) => b.map((t) => s * t))));

const transposed = (m: Matrix): Matrix => m[0]!.map((_, i) => m.map((row) => row[i]!));

function repeat(values: readonly number[], times: number): Float32Array {
  const data = new Float32Array(values.length * times);
  for (let i = 0; i < times; i++) data.set(values, i * values.length);
  return data;
}

/** G g Gᵀ of every kernel: [O,C,3,3] → [16,O,C]. Runs over all weights when a session is made, so it is spelt out. */
function transformKernels(bytes: Uint8Array<ArrayBuffer>, kernels: number): Uint8Array<ArrayBuffer> {
  const weight = new Float32Array(bytes.buffer, bytes.byteOffset, 9 * kernels);
  const result = new Float32Array(16 * kernels);
  const half = new Float32Array(12);
  for (let k = 0; k < kernels; k++) {
    for (let column = 0; column < 3; column++) {
      const at = 9 * k + column;
      const [top, middle, bottom] = [weight[at]!, weight[at + 3]!, weight[at + 6]!];
      half[column] = top;
      half[3 + column] = (top + middle + bottom) / 2;
      half[6 + column] = (top - middle + bottom) / 2;
      half[9 + column] = bottom;
    }
    for (let row = 0; row < 4; row++) {
      const [left, middle, right] = [half[3 * row]!, half[3 * row + 1]!, half[3 * row + 2]!];
      const at = 4 * row * kernels + k;
      result[at] = left;
      result[at + kernels] = (left + middle + right) / 2;
      result[at + 2 * kernels] = (left - middle + right) / 2;
      result[at + 3 * kernels] = right;
    }
  }
  return new Uint8Array(result.buffer);
}
