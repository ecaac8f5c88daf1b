import { type UnzipFileInfo, unzipSync } from 'fflate';
import type { ByteSource } from '../util/byte-source';
import { AppError } from '../util/errors';
import { sizeOf } from '../util/nd-array';
import { type PickleHost, unpickle } from './pickle';
import { type SafetensorsFile, toFloat32 } from './safetensors';
import { dtypeBytes, isCounts, isDtype, type SafetensorsDtype } from './safetensors-header';

/** Named tensors of either container; the readers of concept files need no more. */
export interface TensorFile extends Pick<SafetensorsFile, 'metadata' | 'readFloat32'> {
  readonly name: string;
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>;
}

/** The archive is held in memory; the largest concept in common use, a full Custom Diffusion delta, has 75 MB. */
const maxFileBytes = 2 ** 30;
/** A whole SDXL checkpoint has 2,500 tensors, about 0.4 MB of pickle. */
const maxPickleBytes = 16 << 20;
const maxEntries = 65_536;
/** Of a flattened dictionary; A1111's and Adobe's files have two levels, compressed deltas three. */
const maxDepth = 4;

const STORAGES: Readonly<Record<string, SafetensorsDtype>> = {
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  DoubleStorage: 'F64',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
};

interface Storage {
  readonly dtype: SafetensorsDtype;
  readonly key: string;
  readonly length: number;
}

/** A view on a storage, as `torch.Tensor` is; strides in elements. */
class TorchTensor {
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  constructor(storage: Storage, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

/** True for a file that begins as a zip archive does. @param start  at least 9 bytes, where the file has them */
export const isZip = (start: Uint8Array): boolean =>
  start[0] === 0x50 && start[1] === 0x4b && start[2] === 3 && start[3] === 4;

/**
 * True for a file that begins as a bare pickle does (PROTO 2 to 5). The length that begins a safetensors file may have
 * the same bytes, but is followed by '{'.
 */
export const isPickle = (start: Uint8Array): boolean =>
  start[0] === 0x80 && start[1]! >= 2 && start[1]! <= 5 && start[8] !== 0x7b;

/**
 * Open a `.bin`, `.pt` or `.ckpt` written by `torch.save` (PyTorch 1.6 and later), running none of it. Nested
 * dictionaries are flattened with '.' between keys, an empty one is a tensor of length 0, a bare tensor is named
 * `emb_params`; plain values (names, steps) are the metadata.
 *
 * @throws AppError BAD_FILE when it is not such a file, or asks for anything but tensors
 * @see FORMATS.md 0.2
 */
export async function openTorch(source: ByteSource): Promise<TensorFile> {
  const { name } = source;
  const bad = (what: string) => new AppError('BAD_FILE', `${name} ${what}`);
  if (source.size > maxFileBytes) {
    throw bad(
      `has ${source.size} bytes; as a PyTorch file at most ${maxFileBytes} are read: convert it to safetensors`,
    );
  }
  const bytes = await source.read(0, source.size);
  if (!isZip(bytes)) {
    throw bad(
      isPickle(bytes)
        ? 'was saved by PyTorch before 1.6: load it with a newer torch and save it again, best as safetensors'
        : 'is not a PyTorch file',
    );
  }
  const entries = unzipStored(name, bytes);
  const pickles = [...entries.keys()].filter((path) => /^[^/]+\/data\.pkl$/.test(path));
  if (pickles.length !== 1) throw bad('is a zip archive but not a PyTorch file: it has no data.pkl');
  const root = pickles[0]!.slice(0, -'data.pkl'.length);
  const pickle = entries.get(pickles[0]!)!;
  if (pickle.length > maxPickleBytes) throw bad('has a pickle that is too long to be of tensors');
  const order = entries.get(`${root}byteorder`);
  if (order && new TextDecoder().decode(order).trim() !== 'little') {
    throw bad('was saved on a big-endian machine, which is not supported');
  }
  const stored = (key: string): Uint8Array | undefined => entries.get(`${root}data/${key}`);
  const { tensors, metadata } = flatten(name, unpickle(pickle, tensorHost(name, stored)), source.size);
  return {
    name,
    metadata,
    tensors,
    async readFloat32(tensor) {
      const found = tensors.get(tensor);
      if (!found) throw new AppError('MISSING_WEIGHT', `${name} has no tensor ${tensor}`, { name: tensor });
      const { storage, shape } = found;
      if (sizeOf(shape) === 0) return { data: new Float32Array(0), shape };
      return { data: toFloat32(storage.dtype, gather(found, stored(storage.key)!)), shape };
    },
  };
}

/** Every entry; all must be stored, not compressed, and together no longer than the file. */
function unzipStored(name: string, bytes: Uint8Array): Map<string, Uint8Array> {
  const bad = (what: string) => new AppError('BAD_FILE', `${name} ${what}`);
  const seen = new Set<string>();
  let total = 0;
  const check = (entry: UnzipFileInfo): boolean => {
    if (seen.has(entry.name)) throw bad(`holds ${entry.name} twice`);
    if (entry.compression !== 0 || entry.size !== entry.originalSize) {
      throw bad('is compressed, which torch.save never does');
    }
    seen.add(entry.name);
    total += entry.size;
    // also ends a directory that claims billions of entries
    if (seen.size > maxEntries || total > bytes.length)
      throw bad('is damaged: its entries do not fit into it');
    return true;
  };
  try {
    return new Map(Object.entries(unzipSync(bytes, { filter: check })));
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw bad('is a damaged zip archive: it may be cut off');
  }
}

/** The globals of tensors, dictionaries and shapes. `stored`: bytes of a storage. */
function tensorHost(name: string, stored: (key: string) => Uint8Array | undefined): PickleHost {
  const bad = (what: string) => new AppError('BAD_FILE', `${name} is damaged: ${what}`);
  const rebuildTensor = (
    storage: unknown,
    offset: unknown,
    shape: unknown,
    strides: unknown,
  ): TorchTensor => {
    if (!isStorage(storage) || !isCounts([offset]) || !isCounts(shape) || !isCounts(strides)) {
      throw bad('a tensor is not described by a storage, an offset, a shape and strides');
    }
    const size = sizeOf(shape);
    const last = shape.reduce((sum, n, i) => sum + (n - 1) * (strides[i] ?? Number.NaN), offset as number);
    if (shape.length !== strides.length || shape.length > 8 || !Number.isSafeInteger(size)) {
      throw bad(`a tensor [${shape.slice(0, 8)}] has ${strides.length} strides`);
    }
    // no more elements than the storage has: a stride of 0 could make gigabytes of one value
    if (size > 0 && !(last < storage.length && size <= storage.length)) {
      throw bad(`a tensor [${shape}] reaches outside its ${storage.length} values`);
    }
    return new TorchTensor(storage, offset as number, shape, strides);
  };
  const globals = new Map<string, unknown>([
    ['torch._utils _rebuild_tensor_v2', rebuildTensor],
    ['torch._utils _rebuild_parameter', (tensor: unknown) => tensor],
    ['torch Size', (shape: unknown = []) => shape],
    [
      'collections OrderedDict',
      (pairs: unknown = []) => orderedDict(pairs) ?? raise(bad('a dictionary is malformed')),
    ],
    ...Object.entries(STORAGES).map(([type, dtype]) => [`torch ${type}`, dtype] as const),
  ]);
  const persistent = (id: unknown): Storage => {
    const [kind, dtype, key, , length] = Array.isArray(id) ? id : [];
    const known = kind === 'storage' && typeof key === 'string' && isDtype(dtype) && isCounts([length]);
    if (!known) throw bad('a storage is not described by its type, key and length');
    const bytes = stored(key);
    if (!bytes) throw bad(`storage ${key} is missing`);
    if (bytes.length < length * dtypeBytes[dtype]) throw bad(`storage ${key} is cut off`);
    return { dtype, key, length };
  };
  return { name, globals, persistent };
}

const raise = (error: Error): never => {
  throw error;
};

const isStorage = (value: unknown): value is Storage =>
  typeof value === 'object' && value !== null && 'key' in value && 'dtype' in value;

function orderedDict(pairs: unknown): Map<unknown, unknown> | null {
  if (!Array.isArray(pairs) || !pairs.every((pair) => Array.isArray(pair) && pair.length === 2)) return null;
  return new Map(pairs as [unknown, unknown][]);
}

/** Nested dictionaries → one level. @param fileBytes bounds what tensors that share storages may add up to */
function flatten(name: string, root: unknown, fileBytes: number) {
  const bad = (what: string) => new AppError('BAD_FILE', `${name} ${what}`);
  const tensors = new Map<string, TorchTensor>();
  const metadata: Record<string, string> = {};
  let leaves = 0;
  let bytes = 0;
  const visit = (path: string, value: unknown, depth: number): void => {
    if (++leaves > maxEntries) throw bad('holds too many values');
    if (value instanceof TorchTensor) {
      bytes += sizeOf(value.shape) * dtypeBytes[value.storage.dtype];
      // tied weights share a storage once or twice, not a thousand times
      if (bytes > 4 * fileBytes) throw bad('claims more tensor data than it can hold');
      tensors.set(path, value);
    } else if (value instanceof Map && value.size === 0) {
      tensors.set(path, new TorchTensor({ dtype: 'F32', key: '', length: 0 }, 0, [0], [1]));
    } else if (value instanceof Map || Array.isArray(value)) {
      if (depth === maxDepth) throw bad('nests its values too deep for a concept');
      for (const [key, inner] of value.entries()) {
        if (typeof key !== 'string' && typeof key !== 'number')
          throw bad('names its values by neither text nor number');
        visit(path === '' ? String(key) : `${path}.${key}`, inner, depth + 1);
      }
    } else if (['string', 'number', 'boolean'].includes(typeof value)) metadata[path] = String(value);
  };
  if (root instanceof TorchTensor) visit('emb_params', root, 0);
  else visit('', root, 0);
  return { tensors, metadata };
}

const elementViews = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array } as const;

/** The elements of a strided view in row-major order. segmind/tiny-sd's convolutions, for one, are channels_last. */
function gather({ storage, offset, shape, strides }: TorchTensor, stored: Uint8Array): Uint8Array {
  const width = dtypeBytes[storage.dtype];
  const count = sizeOf(shape);
  const rowMajor = shape.map((_, i) => sizeOf(shape.slice(i + 1)));
  if (shape.every((n, i) => n === 1 || strides[i] === rowMajor[i])) {
    return stored.subarray(offset * width, (offset + count) * width);
  }
  const { buffer, byteOffset } = stored.slice();
  const from = new elementViews[width](buffer as ArrayBuffer, byteOffset, storage.length);
  const to = new elementViews[width](count);
  const index = shape.map(() => 0);
  let at = offset;
  for (let i = 0; i < count; i++) {
    to[i] = from[at]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      at -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return new Uint8Array(to.buffer);
}
