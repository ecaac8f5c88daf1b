import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type ByteSource, bytesSource } from '../util/byte-source';
import { AppError } from '../util/errors';
import { ndArray } from '../util/nd-array';
import {
  openSafetensors,
  openSharded,
  type StoredTensor,
  storedTensor,
  writeSafetensors,
} from './safetensors';

const reference = new Uint8Array(readFileSync(new URL('./golden/reference.safetensors', import.meta.url)));
const open = (bytes: Uint8Array, name = 'test.safetensors') => openSafetensors(bytesSource(name, bytes));

/** A file with this header JSON and `dataBytes` zero bytes of data. */
function file(header: unknown, dataBytes = 0): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}
const f32 = (begin: number, end: number, shape: unknown = [(end - begin) / 4]) => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});

describe('reading', () => {
  test('reads every dtype of a file written by the reference library', async () => {
    const reader = await open(reference);
    expect(reader.metadata).toEqual({ format: 'pt' });
    const values = async (name: string) => [...(await reader.readFloat32(name)).data];
    const ramp = [0, -1.5, Math.fround(0.1), 65504, Math.fround(3e-5), Math.fround(-6e-8)];
    expect(await values('z.weight')).toEqual(ramp);
    expect(await values('a.half')).toEqual([
      0,
      -1.5,
      0.0999755859375,
      65504,
      2.9981136322021484e-5,
      -(2 ** -24),
    ]);
    expect(await values('b.brain')).toEqual([
      0,
      -1.5,
      0.10009765625,
      65536,
      3.0040740966796875e-5,
      expect.closeTo(-6e-8, 9),
    ]);
    expect(await values('a.ids')).toEqual([49406, 320, 49407]);
    expect(await values('wide')).toEqual([Math.fround(Math.PI)]);
    expect(await values('int')).toEqual([-7, 7]);
    expect(await values('bytes')).toEqual([0, 128, 255]);
    expect(await values('signed')).toEqual([-128, 127]);
    expect(await values('flags')).toEqual([1, 0, 1]);
    expect(await reader.readFloat32('scalar')).toEqual(ndArray([4], []));
    expect(await reader.readFloat32('down.attn1.processor')).toEqual(ndArray([], [0]));
    expect(reader.tensors.get('b.brain')!.shape).toEqual([3, 2]);
  });

  test('reads the header and then only the ranges of the tensors that are asked for', async () => {
    const ranges: [number, number][] = [];
    const inner = bytesSource('counted', reference);
    const counted: ByteSource = {
      ...inner,
      read: (begin, end) => {
        ranges.push([begin, end]);
        return inner.read(begin, end);
      },
    };
    const reader = await openSafetensors(counted);
    await reader.readFloat32('z.weight');
    const { begin, end } = reader.tensors.get('z.weight')!;
    const headerEnd = Math.min(...[...reader.tensors.values()].map((info) => info.begin));
    expect(ranges).toEqual([
      [0, 64],
      [8, headerEnd],
      [begin, end],
    ]);
  });

  test('converts a tensor that is longer than one chunk', async () => {
    const data = Float32Array.from({ length: (10 << 20) / 2 }, (_, i) => i % 2048);
    const reader = await open(writeSafetensors({ long: storedTensor(ndArray(data, [data.length]), 'F16') }));
    const read = await reader.readFloat32('long');
    expect(Buffer.compare(Buffer.from(read.data.buffer), Buffer.from(data.buffer))).toBe(0);
  });

  test('a tensor that is not there is named', async () => {
    const reader = await open(reference);
    await expect(reader.read('conv_in.weight')).rejects.toMatchObject({
      code: 'MISSING_WEIGHT',
      message: expect.stringContaining('conv_in.weight'),
    });
  });
});

describe('writing', () => {
  test('writes the bytes that the reference library writes', async () => {
    const reader = await open(reference);
    const tensors: Record<string, StoredTensor> = {};
    for (const name of [...reader.tensors.keys()].sort()) tensors[name] = await reader.read(name);
    expect(writeSafetensors(tensors, reader.metadata)).toEqual(reference);
  });

  test('rounds to fp16 and bfloat16, keeps shapes and metadata, and starts data on 8 bytes', async () => {
    const x = ndArray([1 / 3, -2, 70000], [3, 1]);
    const bytes = writeSafetensors({ h: storedTensor(x, 'F16'), b: storedTensor(x, 'BF16') }, { title: 'ü' });
    const reader = await open(bytes);
    expect(reader.metadata).toEqual({ format: 'pt', title: 'ü' });
    expect(await reader.readFloat32('h')).toEqual(ndArray([0.333251953125, -2, Infinity], [3, 1]));
    expect(await reader.readFloat32('b')).toEqual(ndArray([0.333984375, -2, 70144], [3, 1]));
    expect(reader.tensors.get('b')!.begin % 8).toBe(0);
  });

  test('refuses bytes that do not fill the shape', () => {
    const tensor: StoredTensor = { dtype: 'F32', shape: [2], bytes: new Uint8Array(4) };
    expect(() => writeSafetensors({ w: tensor })).toThrow(/4 bytes do not fill F32 \[2\]/);
  });
});

describe('hostile files', () => {
  const html = '<!DOCTYPE html><html><body>404</body></html>'.padEnd(200);
  const lfs = 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 3438167540\n';
  const text = (s: string) => new TextEncoder().encode(s);
  const huge = new Uint8Array(32);
  new DataView(huge.buffer).setBigUint64(0, 100_000_001n, true);
  const cases: [string, Uint8Array, RegExp][] = [
    ['an empty file', new Uint8Array(0), /too short/],
    ['nine bytes', new Uint8Array(9), /too short/],
    ['a web page', text(html), /web page/],
    ['a Git LFS pointer', text(lfs), /Git LFS pointer/],
    ['a header beyond the limit', huge, /header would be 100000001 bytes/],
    ['a header longer than the file', reference.slice(0, 100), /ends inside its header/],
    ['a header that is not an object', file('[1,2]'), /does not begin with "{"/],
    ['a header that is not JSON', file('{"a":'), /not a JSON object/],
    ['a header that is not UTF-8', file('{"~":1}').map((b) => (b === 0x7e ? 0xff : b)), /not a JSON object/],
    ['truncated data', reference.slice(0, -1), /cut off/],
    ['data that belongs to no tensor', file({ w: f32(0, 4) }, 8), /belong to none/],
    ['overlapping tensors', file({ a: f32(0, 8), b: f32(4, 12) }, 12), /tensor b overlaps/],
    ['a gap', file({ a: f32(0, 4), b: f32(8, 12) }, 12), /tensor b leaves a gap/],
    ['a size that disagrees with its shape', file({ a: f32(0, 8, [3]) }, 8), /a needs 12 bytes but has 8/],
    ['a product that overflows', file({ a: f32(0, 4, [2 ** 52, 2 ** 52]) }, 4), /a has no usable shape/],
    ['an overflow hidden by a zero', file({ a: f32(0, 0, [2 ** 52, 2 ** 52, 0]) }), /a has no usable shape/],
    ['a negative dimension', file({ a: f32(0, 4, [-1]) }, 4), /a has no usable shape/],
    ['a fractional offset', file({ a: f32(0.5, 4.5, [1]) }, 8), /a has no usable data range/],
    ['a reversed range', file({ a: f32(8, 4, [1]) }, 8), /a needs 4 bytes but has -4/],
    [
      'an unsupported dtype',
      file({ a: { ...f32(0, 4), dtype: 'F8_E4M3' } }, 4),
      /F8_E4M3, which is not supported/,
    ],
    ['a dtype named after a method', file({ a: { ...f32(0, 4), dtype: 'toString' } }, 4), /not supported/],
    ['metadata that is not text', file({ __metadata__: { steps: 400 } }), /metadata/],
    ['metadata that is a list', file({ __metadata__: ['pt'] }), /metadata/],
    ['a tensor that is null', file({ a: null }), /a is not described/],
    [
      'a tensor named twice',
      file('{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"\\u0061":{}}'),
      /"a" twice/,
    ],
    [
      'a field given twice',
      file('{"a":{"dtype":"F32","dtype":"F16","shape":[0],"data_offsets":[0,0]}}'),
      /"dtype" twice/,
    ],
  ];
  test.each(cases)('%s is refused with a reason', async (_, bytes, reason) => {
    await expect(open(bytes)).rejects.toMatchObject({
      code: 'BAD_FILE',
      message: expect.stringMatching(reason),
    });
  });

  test('braces and colons inside strings are not mistaken for structure', async () => {
    const reader = await open(file({ __metadata__: { a: '{"a":1,"a":2}', b: '\\"}' } }));
    expect(reader.metadata.a).toBe('{"a":1,"a":2}');
  });

  test('long metadata does not exhaust the stack', async () => {
    const thumbnail = 'data:image/jpeg;base64,'.padEnd(20e6, 'A');
    expect((await open(file({ __metadata__: { thumbnail } }))).metadata.thumbnail).toHaveLength(20e6);
  });

  test('500 random truncations and mutations are either refused as BAD_FILE or read completely', async () => {
    let state = 12345;
    const random = (n: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * n);
    };
    let refused = 0;
    for (let i = 0; i < 500; i++) {
      const bytes = reference.slice(0, i % 4 === 0 ? random(reference.length) : reference.length);
      if (bytes.length > 0) for (let k = random(4); k >= 0; k--) bytes[random(bytes.length)] = random(256);
      try {
        const reader = await open(bytes);
        for (const name of reader.tensors.keys()) await reader.readFloat32(name);
      } catch (error) {
        expect(error).toBeInstanceOf(AppError);
        expect((error as AppError).code).toBe('BAD_FILE');
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(300);
  });
});

describe('sharded checkpoints', () => {
  const shard = (value: number) => storedTensor(ndArray([value], [1]));
  const files: Record<string, Uint8Array> = {
    'unet/m-1.safetensors': writeSafetensors({ a: shard(1) }),
    'unet/m-2.safetensors': writeSafetensors({ b: shard(2) }),
  };
  const tree = (weightMap: unknown) => ({
    name: 'folder',
    open: async (path: string) => {
      const index = new TextEncoder().encode(JSON.stringify({ metadata: {}, weight_map: weightMap }));
      const bytes = path.endsWith('index.json') ? index : files[path];
      return bytes ? bytesSource(path, bytes) : null;
    },
  });
  const openIndex = (weightMap: unknown) => openSharded(tree(weightMap), 'unet/m.safetensors.index.json');

  test('reads each tensor from its shard', async () => {
    const reader = await openIndex({ a: 'm-1.safetensors', b: 'm-2.safetensors' });
    expect([...reader.tensors.keys()]).toEqual(['a', 'b']);
    expect((await reader.readFloat32('b')).data[0]).toBe(2);
    await expect(reader.read('c')).rejects.toMatchObject({ code: 'MISSING_WEIGHT' });
  });

  test.each([
    ['a missing shard', { a: 'm-3.safetensors' }, /m-3.safetensors, which is missing/],
    ['a tensor that is not in its shard', { b: 'm-1.safetensors' }, /holds b, but it does not/],
    ['a path that leaves the folder', { a: '../m-1.safetensors' }, /no usable weight_map/],
    ['a list', ['m-1.safetensors'], /holds 0, but it does not/],
    ['no map', undefined, /no usable weight_map/],
    ['null', null, /no usable weight_map/],
  ])('%s is refused', async (_, map, reason) => {
    await expect(openIndex(map)).rejects.toMatchObject({
      code: 'BAD_FILE',
      message: expect.stringMatching(reason),
    });
  });
});

const fixtures = new URL('../../../shared/fixtures/', import.meta.url);
describe.skipIf(!existsSync(fixtures))(
  'project fixtures (skipped where ../shared/fixtures is absent)',
  () => {
    const names = existsSync(fixtures)
      ? readdirSync(fixtures).filter((name) => name.endsWith('.safetensors'))
      : [];
    test.each(names)('every tensor of %s reads', async (name) => {
      const reader = await open(new Uint8Array(readFileSync(new URL(name, fixtures))), name);
      expect(reader.tensors.size).toBeGreaterThan(10);
      for (const tensor of reader.tensors.keys()) await reader.readFloat32(tensor);
    });
  },
);
