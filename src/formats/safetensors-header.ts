import { AppError } from '../util/errors';

/** Bytes per element, listed in the order in which the reference writer lays tensors out. */
export const dtypeBytes = {
  U64: 8,
  I64: 8,
  F64: 8,
  F32: 4,
  U32: 4,
  I32: 4,
  BF16: 2,
  F16: 2,
  U16: 2,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const;

export type SafetensorsDtype = keyof typeof dtypeBytes;

export interface TensorInfo {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** first byte in the file */
  readonly begin: number;
  /** one past the last byte in the file */
  readonly end: number;
}

export interface SafetensorsHeader {
  /** strings only; nested values are JSON inside a string */
  readonly metadata: Readonly<Record<string, string>>;
  /** in the order of their data */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
}

/**
 * Validate a safetensors header: every tensor inside the file, sizes that match shapes, and data that covers the
 * file exactly once (the reference reader refuses overlaps and holes alike: bytes that belong to no tensor can hide
 * another file).
 *
 * @param bytes     the JSON, without the 8-byte length
 * @param dataBegin file offset at which tensor data starts, 8 + header length
 * @param fileSize  bytes
 * @throws AppError BAD_FILE naming the file and the tensor
 */
export function parseHeader(
  file: string,
  bytes: Uint8Array,
  dataBegin: number,
  fileSize: number,
): SafetensorsHeader {
  const bad = (what: string) => new AppError('BAD_FILE', `${file} is not a valid safetensors file: ${what}`);
  const text = decodeUtf8(bytes);
  const json = text?.startsWith('{') ? parseJson(text) : undefined;
  if (!isRecord(json)) throw bad('its header is not a JSON object');
  const twice = repeatedKey(text!);
  if (twice !== null) throw bad(`its header names "${twice}" twice`);

  const { __metadata__: metadata = {}, ...entries } = json;
  if (!isRecord(metadata) || Object.values(metadata).some((value) => typeof value !== 'string')) {
    throw bad('its metadata holds something other than text');
  }
  const tensors = Object.entries(entries).map(([name, entry]): [string, TensorInfo] => {
    if (!isRecord(entry)) throw bad(`tensor ${name} is not described by an object`);
    const { dtype, shape, data_offsets: offsets } = entry;
    if (!isDtype(dtype)) {
      throw bad(
        `tensor ${name} is stored as ${String(dtype)}, which is not supported; use an fp16 or fp32 file`,
      );
    }
    const size = isCounts(shape) ? byteSize(shape, dtype) : null;
    if (size === null) throw bad(`tensor ${name} has no usable shape`);
    if (!isCounts(offsets) || offsets.length !== 2) throw bad(`tensor ${name} has no usable data range`);
    const [begin, end] = offsets as [number, number];
    if (end - begin !== size) throw bad(`tensor ${name} needs ${size} bytes but has ${end - begin}`);
    return [name, { dtype, shape: shape as number[], begin: dataBegin + begin, end: dataBegin + end }];
  });

  tensors.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let covered = dataBegin;
  for (const [name, { begin, end }] of tensors) {
    if (end > fileSize)
      throw bad(`tensor ${name} ends at byte ${end}, the file at ${fileSize}: it is cut off`);
    if (begin !== covered) {
      throw bad(`tensor ${name} ${begin < covered ? 'overlaps another' : 'leaves a gap before it'}`);
    }
    covered = end;
  }
  if (covered !== fileSize) throw bad(`${fileSize - covered} bytes after the last tensor belong to none`);
  return { metadata: metadata as Record<string, string>, tensors: new Map(tensors) };
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const isDtype = (value: unknown): value is SafetensorsDtype =>
  typeof value === 'string' && Object.hasOwn(dtypeBytes, value);

export const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);

/** Bytes of a tensor; null when the product leaves the exact integers. */
function byteSize(shape: readonly number[], dtype: SafetensorsDtype): number | null {
  let size: number = dtypeBytes[dtype];
  for (const n of shape) {
    size *= n;
    if (!Number.isSafeInteger(size)) return null;
  }
  return size;
}

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The first key that one object of a valid JSON text uses twice (JSON.parse keeps the last silently); else null. */
function repeatedKey(text: string): string | null {
  const seen: Set<string>[] = [];
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '{') seen.push(new Set());
    else if (char === '}') seen.pop();
    else if (char === '"') {
      const begin = i++;
      while (text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
      const isKey = /\s*:/y;
      isKey.lastIndex = i + 1;
      if (!isKey.test(text)) continue;
      const keys = seen.at(-1)!;
      const key = JSON.parse(text.slice(begin, i + 1)) as string;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return null;
}
