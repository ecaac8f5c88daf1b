import { readFileSync } from 'node:fs';
import { zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { bytesSource } from '../util/byte-source';
import { openTorch } from './torch-file';

const golden = (name: string) =>
  new Uint8Array(readFileSync(new URL(`./golden/concepts/${name}`, import.meta.url)));
const open = (bytes: Uint8Array) => openTorch(bytesSource('x.bin', bytes));
const bytes = (...parts: (string | number | readonly number[])[]) =>
  Uint8Array.from(
    parts.flatMap((part) => (typeof part === 'string' ? [...part].map((c) => c.charCodeAt(0)) : part)),
  );

/** An archive of this pickle and one storage of 4 float32 values. */
const archive = (pickle: Uint8Array, level: 0 | 6 = 0) =>
  zipSync(
    { 'a/data.pkl': pickle, 'a/data/0': new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer) },
    { level },
  );
const unicode = (text: string) => bytes('X', [text.length, 0, 0, 0], text);
const PROTO = [0x80, 2] as const;
/** _rebuild_tensor_v2(storage 0 of `length` values, offset, shape, strides, False, OrderedDict()) */
const tensor = (shape: readonly number[], strides: readonly number[], offset = 0, length = 4) => {
  const tuple = (values: readonly number[]) => [
    '(',
    ...values.map((v) => [0x4a, v & 255, (v >> 8) & 255, (v >> 16) & 255, v >> 24]),
    't',
  ];
  const storage = [
    '(',
    [...unicode('storage')],
    'ctorch\nFloatStorage\n',
    [...unicode('0')],
    [...unicode('cpu')],
    'K',
    length,
    'tQ',
  ];
  return bytes(
    PROTO,
    'ctorch._utils\n_rebuild_tensor_v2\n(',
    ...storage,
    'K',
    offset,
    ...tuple(shape),
    ...tuple(strides),
    [0x89],
    'ccollections\nOrderedDict\n)RtR.',
  );
};

test('a tensor is read through its strides and offset', async () => {
  const file = await open(archive(tensor([3, 1], [1, 1], 1)));
  expect(await file.readFloat32('emb_params')).toEqual({ data: Float32Array.of(2, 3, 4), shape: [3, 1] });
  const transposed = await open(archive(tensor([2, 2], [1, 2])));
  expect((await transposed.readFloat32('emb_params')).data).toEqual(Float32Array.of(1, 3, 2, 4));
});

test('a file of torch.save is flattened, plain values apart', async () => {
  const file = await open(golden('ti_a1111.pt'));
  expect([...file.tensors]).toMatchObject([['string_to_param.*', { shape: [3, 12] }]]);
  expect(file.metadata).toEqual({ 'string_to_token.*': '265', name: 'miso', step: '500' });
});

test('nothing of a file is run: another global is refused by name', async () => {
  await expect(open(golden('ti_evil.pt'))).rejects.toMatchObject({
    code: 'BAD_FILE',
    message: expect.stringMatching(/builtin[s_]*\.exec|nothing is run/),
  });
});

test('files of PyTorch before 1.6 are told apart', async () => {
  await expect(open(golden('ti_legacy.pt'))).rejects.toMatchObject({
    code: 'BAD_FILE',
    message: expect.stringMatching(/before 1\.6/),
  });
});

describe('hostile files', () => {
  const endless = archive(tensor([4], [1]));
  // a zip64 end record that claims 2³² − 1 entries
  const claim = new Uint8Array(endless.length + 76);
  claim.set(endless.subarray(0, -22));
  const view = new DataView(claim.buffer);
  const at = endless.length - 22;
  const directory = new DataView(endless.buffer, endless.byteOffset).getUint32(at + 16, true);
  view.setUint32(at, 0x06064b50, true);
  view.setUint32(at + 32, 0xffffffff, true);
  view.setUint32(at + 48, directory, true);
  view.setUint32(at + 56, 0x07064b50, true);
  view.setUint32(at + 64, at, true);
  claim.set(endless.subarray(-22), at + 76);

  test.each([
    ['a global of another module', archive(bytes(PROTO, 'cos\nsystem\n.')), /os\.system/],
    [
      'a global by STACK_GLOBAL',
      archive(bytes(PROTO, [0x8c, 2], 'os', [0x8c, 6], 'system', [0x93], '.')),
      /os\.system/,
    ],
    ['another opcode', archive(bytes(PROTO, 'i')), /opcode 0x69/],
    ['a tensor outside its storage', archive(tensor([5], [1])), /outside its 4 values/],
    ['an offset outside the storage', archive(tensor([1], [1], 4)), /outside its 4 values/],
    ['a stride outside the storage', archive(tensor([2], [4])), /outside its 4 values/],
    ['a stride of 0 that makes much of little', archive(tensor([1 << 30], [0])), /outside its 4 values/],
    ['a storage longer than its bytes', archive(tensor([5], [1], 0, 5)), /storage 0 is cut off/],
    ['a shape without strides', archive(tensor([2, 2], [1])), /1 strides/],
    ['text that is cut off', archive(bytes(PROTO, 'X', [255, 255, 255, 255])), /cut off/],
    ['no end', archive(bytes(PROTO, 'N')), /cut off/],
    ['an empty stack', archive(bytes(PROTO, '.')), /damaged \(stack\)/],
    ['a memo that was never set', archive(bytes(PROTO, 'h', [7], '.')), /damaged \(memo\)/],
    ['a call of what is not a function', archive(bytes(PROTO, 'N)R.')), /damaged \(reduce\)/],
    ['attributes of a list', archive(bytes(PROTO, ']Nb.')), /sets attributes/],
    [
      'dictionaries inside each other without end',
      archive(bytes(PROTO, '}q', [0], 'Nh', [0], 's.')),
      /neither text nor number|too deep/,
    ],
    [
      'a dictionary that holds itself',
      archive(bytes(PROTO, '}q', [0], 'K', [1], 'h', [0], 's.')),
      /too deep/,
    ],
    ['compressed entries', archive(tensor(Array(30).fill(1), Array(30).fill(1)), 6), /compressed/],
    ['a zip without a pickle', zipSync({ 'readme.txt': bytes('hello') }, { level: 0 }), /no data\.pkl/],
    ['a cut-off archive', archive(tensor([4], [1])).slice(0, -30), /damaged zip/],
    ['a directory of billions of entries', claim, /fit into it|twice|compressed/],
    ['an empty file', new Uint8Array(0), /not a PyTorch file/],
  ])('%s is refused with a reason', async (_, file, reason) => {
    await expect(open(file)).rejects.toMatchObject({
      code: 'BAD_FILE',
      message: expect.stringMatching(reason),
    });
  });

  test('deep nesting does not exhaust the stack', async () => {
    const deep = bytes(
      PROTO,
      Array(200_000).fill(']'.charCodeAt(0)),
      Array(199_999).fill('a'.charCodeAt(0)),
      '.',
    );
    await expect(open(archive(deep))).rejects.toMatchObject({
      code: 'BAD_FILE',
      message: expect.stringMatching(/too deep/),
    });
  });

  test('a large file is not read at all', async () => {
    const source = { name: 'x.ckpt', size: 4e9, read: () => Promise.reject(new Error('read')) };
    await expect(openTorch(source)).rejects.toMatchObject({
      code: 'BAD_FILE',
      message: expect.stringMatching(/convert/),
    });
  });
});
