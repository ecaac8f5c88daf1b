import { AppError } from '../util/errors';
import { fold } from './fold';
import type { Attrs, Constant, ConstantData, Graph, Node, Value } from './graph';
import { ELEMENT_TYPE } from './ops';
import { leavesLast } from './order';
import {
  ATTRIBUTE_TYPE,
  type AttributeMessage,
  type ModelMessage,
  ModelProto,
  type NodeMessage,
} from './schema';

/** Gelu needs 20; every operator set from 18 to 24 was seen to load. */
const OPSET = 20;
const IR_VERSION = 10;
/** Marks the graph inputs that are weights, so that decoding tells them from feeds. */
export const WEIGHT = 'weight';
/** onnx.TensorProto.DataLocation */
const EXTERNAL = 1;
/** Ops whose outputs after the first may be left out (an empty name). */
const OPTIONAL_OUTPUTS = new Set(['LayerNormalization', 'MaxPool']);

export interface EncodeOptions {
  /** Data for weights to bake in as constants; the others stay inputs. Frozen weights run faster baked on CPU backends. */
  readonly initializers?: (name: string) => ConstantData | undefined;
  /** Weights to make constants whose bytes lie outside: in a file named as the weight, given to the runtime beside the model. */
  readonly external?: (name: string) => boolean;
  /** Record dtype and shape of every intermediate value (needed by `decode`, ignored by runtimes). Default false. */
  readonly valueInfo?: boolean;
  /** Order nodes so that ONNX Runtime runs them with little memory (`order.ts`). Default: as they were appended. */
  readonly leavesLast?: boolean;
}

/** Names of the feeds and weights that the outputs depend on: what a runtime must bind. */
export function requiredInputs(g: Graph, outputs: readonly Value[]): { feeds: Value[]; weights: Value[] } {
  const used = usedNames(fold(g, outputs).nodes, outputs);
  return {
    feeds: g.feeds.filter((v) => used.has(v.name)),
    weights: [...g.weights.values()].filter((v) => used.has(v.name)),
  };
}

/**
 * ONNX bytes of the part of g that the outputs need. Unused feeds and weights are not declared
 * (a graph input that no node reads costs a GPU round trip per run).
 */
export function encode(g: Graph, outputs: readonly Value[], options: EncodeOptions = {}): Uint8Array {
  const program = fold(g, outputs);
  const { nodes } = program;
  const used = usedNames(nodes, outputs);
  const constants = [...program.constants.values()].filter(({ value }) => used.has(value.name));
  const externals: Value[] = [];
  const weights: Value[] = [];
  for (const value of g.weights.values()) {
    if (!used.has(value.name)) continue;
    const data = options.initializers?.(value.name);
    if (data) constants.push({ value, data });
    else if (options.external?.(value.name)) externals.push(value);
    else weights.push(value);
  }
  const feeds = g.feeds.filter((v) => used.has(v.name));
  const message: ModelMessage = {
    irVersion: IR_VERSION,
    producerName: 'dreamsteerer-studio',
    opsetImport: opsets(nodes),
    graph: {
      name: 'graph',
      node: (options.leavesLast ? leavesLast(nodes) : nodes).map((node) => nodeMessage(node, used)),
      initializer: [...constants.map(tensorMessage), ...externals.map(externalMessage)],
      input: [...feeds.map((v) => valueInfo(v)), ...weights.map((v) => valueInfo(v, WEIGHT))],
      output: outputs.map((v) => valueInfo(v)),
      ...(options.valueInfo && {
        valueInfo: nodes.flatMap((n) => n.outputs.filter((v) => used.has(v.name)).map((v) => valueInfo(v))),
      }),
    },
  };
  return ModelProto.encode(message).finish();
}

function usedNames(nodes: readonly Node[], outputs: readonly Value[]): Set<string> {
  return new Set([...nodes.flatMap((n) => n.inputs), ...outputs].map((v) => v.name));
}

function opsets(nodes: readonly Node[]): ModelMessage['opsetImport'] {
  const others = new Set(nodes.map((n) => n.domain).filter((domain) => domain !== ''));
  return [{ domain: '', version: OPSET }, ...[...others].map((domain) => ({ domain, version: 1 }))];
}

function nodeMessage({ op, domain, inputs, outputs, attrs }: Node, used: ReadonlySet<string>): NodeMessage {
  const optional = OPTIONAL_OUTPUTS.has(op);
  const names = outputs.map((v, i) => (optional && i > 0 && !used.has(v.name) ? '' : v.name));
  while (names.at(-1) === '') names.pop();
  return {
    opType: op,
    domain,
    input: inputs.map((v) => v.name),
    output: names,
    attribute: Object.entries(attrs).map(([name, value]) => attributeMessage(name, value)),
  };
}

function attributeMessage(name: string, value: Attrs[string]): AttributeMessage {
  if (typeof value === 'string') {
    return { name, type: ATTRIBUTE_TYPE.STRING, s: new TextEncoder().encode(value) };
  }
  if (typeof value === 'number') {
    if (!Number.isInteger(value)) throw new AppError('GRAPH', `attribute ${name}: write { float: ${value} }`);
    return { name, type: ATTRIBUTE_TYPE.INT, i: value };
  }
  if ('float' in value) return { name, type: ATTRIBUTE_TYPE.FLOAT, f: value.float };
  return { name, type: ATTRIBUTE_TYPE.INTS, ints: [...value] };
}

const tensorMessage = ({ value, data }: Constant) => ({
  name: value.name,
  dims: [...value.shape],
  dataType: ELEMENT_TYPE[value.dtype],
  rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
});

const externalMessage = ({ name, shape, dtype }: Value) => ({
  name,
  dims: [...shape],
  dataType: ELEMENT_TYPE[dtype],
  dataLocation: EXTERNAL,
  externalData: [{ key: 'location', value: name }],
});

const valueInfo = ({ name, dtype, shape }: Value, docString = '') => ({
  name,
  docString,
  type: {
    tensorType: {
      elemType: ELEMENT_TYPE[dtype],
      shape: { dim: shape.map((dimValue) => ({ dimValue })) },
    },
  },
});
