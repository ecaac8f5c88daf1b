import { AppError } from '../util/errors';
import { sizeOf } from '../util/nd-array';
import { WEIGHT } from './encode';
import { type Attr, type Attrs, absent, type ConstantData, type DType, Graph, type Value } from './graph';
import { ELEMENT_TYPE } from './ops';
import {
  ATTRIBUTE_TYPE,
  type AttributeMessage,
  type ModelMessage,
  ModelProto,
  type NodeMessage,
  type TensorMessage,
  type ValueInfoMessage,
} from './schema';

/**
 * Read an ONNX model with static shapes, every intermediate value described in `value_info` (as `encode` writes with
 * that option, and ONNX's shape inference adds to other files).
 *
 * @throws AppError BAD_FILE when the bytes are no ONNX model, UNSUPPORTED_MODEL for what our graphs cannot hold
 */
export function decode(bytes: Uint8Array): { readonly graph: Graph; readonly outputs: readonly Value[] } {
  const { graph: message } = parse(bytes);
  const graph = new Graph();
  const values = new Map<string, Value>([['', absent]]);
  for (const tensor of message.initializer ?? []) addConstant(graph, values, tensor.name ?? '', tensor);
  for (const info of message.input ?? []) {
    if (values.has(info.name)) continue; // older files list initialisers as inputs too
    const { name, shape, dtype } = readValue(info);
    values.set(
      name,
      info.docString === WEIGHT ? graph.weight(name, shape, dtype) : graph.feed(name, shape, dtype),
    );
  }
  const known = [...(message.valueInfo ?? []), ...(message.output ?? [])];
  const described = new Map(known.map((info) => [info.name, info]));
  const find = (name: string, reader: string): Value => {
    const value = values.get(name);
    if (!value) throw new AppError('BAD_FILE', `ONNX: ${reader} reads ${name}, which nothing computes`);
    return value;
  };
  for (const node of message.node ?? []) {
    const [constant] = node.attribute ?? [];
    if (node.opType === 'Constant' && constant?.t) {
      addConstant(graph, values, node.output?.[0] ?? '', constant.t);
      continue;
    }
    const inputs = (node.input ?? []).map((name) => find(name, node.opType));
    const outputs = (node.output ?? []).map((name) => {
      const info = described.get(name);
      if (name !== '' && !info)
        throw new AppError('UNSUPPORTED_MODEL', `ONNX: value ${name} has no known shape`);
      return info ? readValue(info) : absent;
    });
    for (const value of outputs) values.set(value.name, value);
    graph.nodes.push({
      op: node.opType,
      domain: node.domain ?? '',
      inputs,
      outputs,
      attrs: attributes(node),
    });
  }
  return { graph, outputs: (message.output ?? []).map(({ name }) => find(name, 'the output')) };
}

function parse(bytes: Uint8Array): ModelMessage {
  try {
    const message = ModelProto.toObject(ModelProto.decode(bytes), { longs: Number });
    if (!message.graph) throw new Error('it has no graph');
    return message as ModelMessage;
  } catch (error) {
    throw new AppError('BAD_FILE', `not an ONNX model: ${(error as Error).message}`);
  }
}

function addConstant(graph: Graph, values: Map<string, Value>, name: string, tensor: TensorMessage): void {
  const value = { name, shape: tensor.dims ?? [], dtype: dtypeOf(tensor.dataType, name) };
  const data = tensorData(tensor, value.dtype);
  if (data.length !== sizeOf(value.shape)) {
    throw new AppError('BAD_FILE', `ONNX: tensor ${name} holds ${data.length} values for [${value.shape}]`);
  }
  graph.constants.set(name, { value, data });
  values.set(name, value);
}

function dtypeOf(elementType: number | undefined, name: string): DType {
  const found = Object.entries(ELEMENT_TYPE).find(([, type]) => type === elementType);
  if (!found) throw new AppError('UNSUPPORTED_MODEL', `ONNX: ${name} has element type ${elementType}`);
  return found[0] as DType;
}

function readValue({ name, type }: ValueInfoMessage): Value {
  const dims = type?.tensorType?.shape?.dim;
  if (!dims?.every((d) => d.dimValue !== undefined)) {
    throw new AppError('UNSUPPORTED_MODEL', `ONNX: the shape of ${name} is not fixed`);
  }
  return {
    name,
    shape: dims.map((d) => d.dimValue!),
    dtype: dtypeOf(type?.tensorType?.elemType, name),
  };
}

function tensorData({ rawData, floatData, int32Data, int64Data }: TensorMessage, dtype: DType): ConstantData {
  // a copy, since protobuf hands out views at odd offsets
  const raw = rawData && new Uint8Array(rawData).buffer;
  switch (dtype) {
    case 'float32':
      return raw ? new Float32Array(raw) : Float32Array.from(floatData ?? []);
    case 'int64':
      return raw ? new BigInt64Array(raw) : BigInt64Array.from(int64Data ?? [], BigInt);
    case 'float16':
      return raw ? new Uint16Array(raw) : Uint16Array.from(int32Data ?? []);
    case 'bool':
      return raw ? new Uint8Array(raw) : Uint8Array.from(int32Data ?? []);
  }
}

const attributes = ({ opType, attribute = [] }: NodeMessage): Attrs =>
  Object.fromEntries(attribute.map((a) => [a.name, attributeValue(opType, a)]));

function attributeValue(
  op: string,
  { name, type, f, i, s, ints }: AttributeMessage,
): Attr | { float: number } {
  switch (type) {
    case ATTRIBUTE_TYPE.FLOAT:
      return { float: f ?? 0 };
    case ATTRIBUTE_TYPE.INT:
      return i ?? 0;
    case ATTRIBUTE_TYPE.STRING:
      return new TextDecoder().decode(s);
    case ATTRIBUTE_TYPE.INTS:
      return ints ?? [];
    default:
      throw new AppError('UNSUPPORTED_MODEL', `ONNX: attribute ${name} of ${op} has type ${type}`);
  }
}
