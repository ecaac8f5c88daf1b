/** AdamW over host memory as WebAssembly loops, four values at a time: several times JavaScript's speed. */
import { AppError } from '../util/errors';
import type { HostMemory } from './optimiser';

export interface AdamWConstants {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
}

/** Bytes of each array per call: the runtime exchanges a loop for its optimised form between calls only. */
const CALL = 2 ** 18;
const PAGE = 65_536;
const MAX_PAGES = 65_536;

/**
 * Memory for `size` values with slots m, v and scalars decay, rate, correction (see adamw.ts for the formula).
 *
 * All of it lies in the module's own memory, so that nothing is copied in and out.
 *
 * @throws AppError OUT_OF_MEMORY when there is no room; it takes 16 bytes a value, 4 GB at most
 */
export function adamwMemory(constants: AdamWConstants, size: number): HostMemory {
  const stride = 16 * Math.ceil(size / 4);
  const pages = Math.ceil((4 * stride) / PAGE);
  const { memory, step, squares } = instantiate(constants, stride, pages);
  const at = (i: number): Float32Array => new Float32Array(memory.buffer, i * stride, size);
  const calls = Array.from({ length: Math.ceil(stride / CALL) }, (_, i) => i * CALL);
  const end = (from: number): number => Math.min(from + CALL, stride);
  return {
    weights: at(0),
    gradients: at(1),
    slots: { m: at(2), v: at(3) },
    squares: () => calls.reduce((sum, from) => sum + squares(from, end(from)), 0),
    apply(factor, { decay, rate, correction }) {
      for (const from of calls) step(from, end(from), factor, decay!, rate!, correction!);
    },
  };
}

/** What `assemble` exports. */
interface Kernels {
  readonly memory: WebAssembly.Memory;
  readonly step: (
    from: number,
    end: number,
    factor: number,
    decay: number,
    rate: number,
    correction: number,
  ) => void;
  readonly squares: (from: number, end: number) => number;
}

function instantiate(constants: AdamWConstants, stride: number, pages: number): Kernels {
  const refused = (cause: string): AppError =>
    new AppError('OUT_OF_MEMORY', `no room for ${pages * PAGE} bytes of weights and moments`, { cause });
  if (pages > MAX_PAGES) throw refused('WebAssembly addresses 4 GB');
  const module = new WebAssembly.Module(assemble(constants, stride, pages));
  try {
    return new WebAssembly.Instance(module).exports as unknown as Kernels;
  } catch (error) {
    throw refused(String(error)); // the module takes no imports: only its memory can fail
  }
}

type Code = readonly number[];

// instructions; https://webassembly.github.io/spec/core/binary/instructions.html
const get = (local: number): Code => [0x20, local];
const set = (local: number, value: Code): Code => [...value, 0x21, local];
const i32 = (value: number): Code => [0x41, ...leb(value)];
const splat = (value: Code): Code => [...value, 0xfd, 0x13];
const constant = (value: number): Code => splat([0x43, ...new Uint8Array(Float32Array.of(value).buffer)]);
const load = (address: Code, offset: number): Code => [...address, 0xfd, 0x00, 4, ...leb(offset)];
const store = (address: Code, offset: number, value: Code): Code => [
  ...address,
  ...value,
  ...[0xfd, 0x0b, 4, ...leb(offset)],
];
/** Two float32 as two float64. */
const loadDoubles = (address: Code, offset: number): Code => [
  ...address,
  ...[0xfd, 0x5d, 3, ...leb(offset)],
  ...[0xfd, 0x5f],
];
const addDoubles = (a: Code, b: Code): Code => [...a, ...b, 0xfd, 0xf0, 1];
const mulDoubles = (a: Code, b: Code): Code => [...a, ...b, 0xfd, 0xf2, 1];
const lane = (a: Code, index: number): Code => [...a, 0xfd, 0x21, index];
const sqrt = (a: Code): Code => [...a, 0xfd, 0xe3, 1];
const add = (a: Code, b: Code): Code => [...a, ...b, 0xfd, 0xe4, 1];
const sub = (a: Code, b: Code): Code => [...a, ...b, 0xfd, 0xe5, 1];
const mul = (a: Code, b: Code): Code => [...a, ...b, 0xfd, 0xe6, 1];
const div = (a: Code, b: Code): Code => [...a, ...b, 0xfd, 0xe7, 1];
/** Do `body` for 16 bytes at a time, once at least. */
const loop = (at: number, end: number, body: Code): Code => [
  ...[0x03, 0x40, ...body],
  ...set(at, [...get(at), ...i32(16), 0x6a]), // at + 16
  ...[...get(at), ...get(end), 0x49, 0x0d, 0, 0x0b], // while at < end
];
const VECTOR = 0x7b;
const DOUBLE = 0x7c;
const FLOAT = 0x7d;
const INTEGER = 0x7f;

/** A module as `Kernels`; its memory holds weights, gradients, m and v, `stride` bytes each. */
function assemble(constants: AdamWConstants, stride: number, pages: number): Uint8Array<ArrayBuffer> {
  const bodies = [
    [...[1, 3, VECTOR], ...updateLoop(constants, stride), 0x0b],
    [...[1, 3, VECTOR], ...squaresLoop(stride), 0x0b],
  ];
  const name = (text: string): Code => [text.length, ...new TextEncoder().encode(text)];
  const section = (id: number, content: Code): Code => [id, ...leb(content.length), ...content];
  const update = [0x60, 6, INTEGER, INTEGER, FLOAT, FLOAT, FLOAT, FLOAT, 0];
  const sum = [0x60, 2, INTEGER, INTEGER, 1, DOUBLE];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [2, ...update, ...sum]),
    ...section(3, [2, 0, 1]),
    ...section(5, [1, 1, ...leb(pages), ...leb(pages)]),
    ...section(7, [3, ...name('memory'), 2, 0, ...name('step'), 0, 0, ...name('squares'), 0, 1]),
    ...section(10, [2, ...bodies.flatMap((body) => [...leb(body.length), ...body])]),
  ]);
}

/** Parameters from, end, factor, decay, rate, correction. */
function updateLoop({ beta1, beta2, eps }: AdamWConstants, stride: number): Code {
  const [at, end, factor, decay, rate, correction, g, m, v] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const;
  const here = get(at);
  const [weightAt, gradientAt, mAt, vAt] = [0, stride, 2 * stride, 3 * stride] as const;
  const slope = get(g);
  return loop(at, end, [
    ...set(g, mul(load(here, gradientAt), splat(get(factor)))),
    ...set(m, add(mul(load(here, mAt), constant(beta1)), mul(slope, constant(1 - beta1)))),
    ...set(v, add(mul(load(here, vAt), constant(beta2)), mul(mul(slope, slope), constant(1 - beta2)))),
    ...store(here, mAt, get(m)),
    ...store(here, vAt, get(v)),
    ...store(
      here,
      weightAt,
      sub(
        mul(load(here, weightAt), splat(get(decay))),
        div(mul(get(m), splat(get(rate))), add(mul(sqrt(get(v)), splat(get(correction))), constant(eps))),
      ),
    ),
  ]);
}

/** Parameters from, end; adds up in double precision. */
function squaresLoop(stride: number): Code {
  const [at, end, low, high, pair] = [0, 1, 2, 3, 4] as const;
  const square = mulDoubles(get(pair), get(pair));
  const sums = loop(at, end, [
    ...set(pair, loadDoubles(get(at), stride)),
    ...set(low, addDoubles(get(low), square)),
    ...set(pair, loadDoubles(get(at), stride + 8)),
    ...set(high, addDoubles(get(high), square)),
  ]);
  const both = set(low, addDoubles(get(low), get(high)));
  return [...sums, ...both, ...lane(get(low), 0), ...lane(get(low), 1), 0xa0]; // their sum
}

/** A number ≥ 0 in seven-bit groups; the group added for bit 6 keeps signed readers from taking it as negative. */
function leb(value: number): Code {
  const low = value & 0x7f;
  const rest = value >>> 7;
  return rest > 0 || low & 0x40 ? [low | 0x80, ...leb(rest)] : [low];
}
