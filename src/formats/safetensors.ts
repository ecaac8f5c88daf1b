import type { ByteSource, FileTree } from '../util/byte-source';
import { AppError } from '../util/errors';
import { decodeBfloat, decodeHalf, encodeBfloat, encodeHalf } from '../util/float16';
import { type NdArray, sizeOf } from '../util/nd-array';
import {
  dtypeBytes,
  parseHeader,
  type SafetensorsDtype,
  type SafetensorsHeader,
  type TensorInfo,
} from './safetensors-header';

/** A tensor as stored: little-endian, row-major. */
export interface StoredTensor {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** Named tensors, read one at a time; one file or several shards. */
export interface SafetensorsFile {
  readonly metadata: Readonly<Record<string, string>>;
  /** in the order of their data, which is the cheapest order to read */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** As stored. @throws AppError MISSING_WEIGHT */
  read(name: string): Promise<StoredTensor>;
  /** Any dtype as float32 (64-bit values are rounded). @throws AppError MISSING_WEIGHT */
  readFloat32(name: string): Promise<NdArray>;
}

/** The reference reader's own bound. Headers of Stable Diffusion files are below 0.4 MB. */
const maxHeaderBytes = 100_000_000;

/** Piece in which a tensor is converted: keeps the peak near the size of the result. */
const chunkBytes = 8 << 20;

/**
 * Open a safetensors file. Reads its header only; tensors are read on demand, by range.
 *
 * @throws AppError BAD_FILE when it is not a complete, well-formed safetensors file
 * @see https://github.com/huggingface/safetensors#format; FORMATS.md 0.1
 */
export async function openSafetensors(source: ByteSource): Promise<SafetensorsFile> {
  const bad = (what: string) => new AppError('BAD_FILE', `${source.name} ${what}`);
  // 64 bytes hold the length and enough of the start to recognise what people drop by mistake
  const start = await source.read(0, Math.min(source.size, 64));
  const looks = new TextDecoder('latin1').decode(start).trimStart();
  if (looks.startsWith('version https://git-lfs')) {
    throw bad('is a Git LFS pointer, not the file itself: download the real file (git lfs pull)');
  }
  if (/^<(!doctype|html|\?xml)/i.test(looks)) throw bad('is a web page, not a safetensors file');
  if (start.length < 10) throw bad(`is too short to be a safetensors file (${source.size} bytes)`);

  const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
  if (length > maxHeaderBytes) {
    throw bad(
      `is not a safetensors file: its header would be ${length} bytes, the limit is ${maxHeaderBytes}`,
    );
  }
  const dataBegin = 8 + Number(length);
  if (dataBegin > source.size) throw bad(`ends inside its header (${source.size} of ${dataBegin} bytes)`);
  if (start[8] !== 0x7b) throw bad('is not a safetensors file: its header does not begin with "{"');
  return readerOf(source, parseHeader(source.name, await source.read(8, dataBegin), dataBegin, source.size));
}

/** Tensors of a source by their place in it; a header may rename, reshape or divide what a file lists. */
export function readerOf(source: ByteSource, header: SafetensorsHeader): SafetensorsFile {
  const find = (name: string): TensorInfo => {
    const info = header.tensors.get(name);
    if (!info) throw new AppError('MISSING_WEIGHT', `${source.name} has no tensor ${name}`, { name });
    return info;
  };
  return {
    ...header,
    async read(name) {
      const { dtype, shape, begin, end } = find(name);
      return { dtype, shape, bytes: await source.read(begin, end) };
    },
    async readFloat32(name) {
      const { dtype, shape, begin, end } = find(name);
      const data = new Float32Array((end - begin) / dtypeBytes[dtype]);
      for (let at = begin; at < end; at += chunkBytes) {
        const bytes = await source.read(at, Math.min(at + chunkBytes, end));
        toFloat32(dtype, bytes, data.subarray((at - begin) / dtypeBytes[dtype]));
      }
      return { data, shape };
    },
  };
}

/** Stored bytes → float32 values, written to the beginning of `out`. */
export function toFloat32(
  dtype: SafetensorsDtype,
  bytes: Uint8Array,
  out = new Float32Array(bytes.length / dtypeBytes[dtype]),
): Float32Array {
  const { buffer, byteOffset } = bytes.byteOffset % dtypeBytes[dtype] === 0 ? bytes : bytes.slice();
  const count = bytes.length / dtypeBytes[dtype];
  switch (dtype) {
    case 'F32':
      out.set(new Float32Array(buffer, byteOffset, count));
      return out;
    case 'F16':
      return decodeHalf(new Uint16Array(buffer, byteOffset, count), out);
    case 'BF16':
      return decodeBfloat(new Uint16Array(buffer, byteOffset, count), out);
    case 'F64':
      out.set(new Float64Array(buffer, byteOffset, count));
      return out;
    case 'I64':
      new BigInt64Array(buffer, byteOffset, count).forEach((value, i) => {
        out[i] = Number(value);
      });
      return out;
    case 'U64':
      new BigUint64Array(buffer, byteOffset, count).forEach((value, i) => {
        out[i] = Number(value);
      });
      return out;
    default:
      // the cast only helps overload resolution over the union of constructors
      out.set(new integerViews[dtype](buffer as ArrayBuffer, byteOffset, count));
      return out;
  }
}

const integerViews = {
  U32: Uint32Array,
  I32: Int32Array,
  U16: Uint16Array,
  I16: Int16Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
};

/** float32 values as a tensor to store; F16 and BF16 round to nearest, ties to even. */
export function storedTensor({ data, shape }: NdArray, dtype: 'F32' | 'F16' | 'BF16' = 'F32'): StoredTensor {
  const values = dtype === 'F32' ? data : dtype === 'F16' ? encodeHalf(data) : encodeBfloat(data);
  return { dtype, shape, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

/**
 * Lay tensors out as the reference library does: by dtype (widest first), then by name, data starting on an 8-byte
 * boundary: `head`, then each tensor's bytes in `order`.
 */
function layoutSafetensors(
  tensors: Readonly<Record<string, Pick<StoredTensor, 'dtype' | 'shape'>>>,
  metadata: Readonly<Record<string, string>> = {},
): { head: Uint8Array; order: readonly string[]; size: number } {
  const dtypes = Object.keys(dtypeBytes);
  const order = Object.keys(tensors).sort((a, b) => {
    const byDtype = dtypes.indexOf(tensors[a]!.dtype) - dtypes.indexOf(tensors[b]!.dtype);
    return byDtype || (a < b ? -1 : 1);
  });
  let at = 0;
  const entries = order.map((name) => {
    const { dtype, shape } = tensors[name]!;
    const begin = at;
    at += sizeOf(shape) * dtypeBytes[dtype];
    return [name, { dtype, shape, data_offsets: [begin, at] }] as const;
  });
  // older readers of diffusers and transformers refuse files without a format
  const header = { __metadata__: { format: 'pt', ...metadata }, ...Object.fromEntries(entries) };
  const json = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(json.length / 8) * 8;
  const head = new Uint8Array(8 + length).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(length), true);
  head.set(json, 8);
  return { head, order, size: head.length + at };
}

/** A whole safetensors file, byte for byte what the reference library writes for the same tensors and metadata. */
export function writeSafetensors(
  tensors: Readonly<Record<string, StoredTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const { head, order, size } = layoutSafetensors(tensors, metadata);
  const file = new Uint8Array(size);
  file.set(head);
  let at = head.length;
  for (const name of order) {
    const { dtype, shape, bytes } = tensors[name]!;
    if (bytes.length !== sizeOf(shape) * dtypeBytes[dtype]) {
      throw new AppError('SHAPE', `${name}: ${bytes.length} bytes do not fill ${dtype} [${shape}]`);
    }
    file.set(bytes, at);
    at += bytes.length;
  }
  return file;
}

/**
 * Open a checkpoint split over several files by its `….safetensors.index.json`. Offsets in `tensors` are those of
 * the shard that holds the tensor.
 *
 * @throws AppError BAD_FILE when the index is malformed, or a shard or a tensor it names is missing
 */
export async function openSharded(tree: FileTree, indexPath: string): Promise<SafetensorsFile> {
  const bad = (what: string) => new AppError('BAD_FILE', `${indexPath} ${what}`);
  const index = await tree.open(indexPath);
  if (!index) throw bad(`is missing from ${tree.name}`);
  const map = await readWeightMap(index);
  if (!map) throw bad('has no usable weight_map');
  const folder = indexPath.slice(0, indexPath.lastIndexOf('/') + 1);
  const shards = new Map<string, SafetensorsFile>();
  for (const file of new Set(map.values())) {
    const source = await tree.open(folder + file);
    if (!source) throw bad(`names ${file}, which is missing`);
    shards.set(file, await openSafetensors(source));
  }
  const tensors = new Map<string, TensorInfo>();
  for (const [name, file] of map) {
    const info = shards.get(file)!.tensors.get(name);
    if (!info) throw bad(`says that ${file} holds ${name}, but it does not`);
    tensors.set(name, info);
  }
  const shardOf = (name: string): SafetensorsFile => {
    const file = map.get(name);
    if (file === undefined)
      throw new AppError('MISSING_WEIGHT', `${indexPath} has no tensor ${name}`, { name });
    return shards.get(file)!;
  };
  return {
    metadata: [...shards.values()][0]?.metadata ?? {},
    tensors,
    read: async (name) => shardOf(name).read(name),
    readFloat32: async (name) => shardOf(name).readFloat32(name),
  };
}

/** tensor → file name; null when malformed. File names are plain: a path could reach outside the folder. */
async function readWeightMap(source: ByteSource): Promise<Map<string, string> | null> {
  // an index lists names only; SDXL's would be 0.2 MB
  if (source.size > maxHeaderBytes) return null;
  try {
    const { weight_map: map } = JSON.parse(new TextDecoder().decode(await source.read(0, source.size)));
    const entries = Object.entries(map as Record<string, unknown>);
    return entries.every(([, file]) => typeof file === 'string' && /^[^/\\]+\.safetensors$/.test(file))
      ? new Map(entries as [string, string][])
      : null;
  } catch {
    return null;
  }
}
