/** AdamW's update over host memory as a WebAssembly loop, four values at a time: several times JavaScript's speed. */
import type { Slots } from './optimiser';

export interface AdamWConstants {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
}

/** Values per call: what four arrays of it take stays in a core's cache, so that copying in and out is cheap. */
const BLOCK = 8192;
/** bytes of one array; where each lies in the module's memory is a multiple of it */
const STRIDE = 4 * BLOCK;
const PAGE = 65_536;

type Update = (
  weight: Float32Array,
  gradient: Float32Array,
  factor: number,
  slots: Slots<Float32Array>,
  scalars: Slots<number>,
) => void;

/** `Optimiser.apply` of AdamW with slots m, v and scalars decay, rate, correction (see adamw.ts for the formula). */
export function adamwKernel(constants: AdamWConstants): Update {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(assemble(constants)));
  // both are what `assemble` exports
  const memory = exports.memory as WebAssembly.Memory;
  const step = exports.step as (bytes: number, ...scalars: readonly number[]) => void;
  const own = [0, 1, 2, 3].map((i) => new Float32Array(memory.buffer, i * STRIDE, BLOCK));
  return (weight, gradient, factor, { m, v }, { decay, rate, correction }) => {
    const arrays = [weight, gradient, m!, v!];
    for (let at = 0; at < weight.length; at += BLOCK) {
      const size = Math.min(BLOCK, weight.length - at);
      for (const [i, array] of arrays.entries()) own[i]!.set(array.subarray(at, at + size));
      step(4 * size, factor, decay!, rate!, correction!);
      for (const i of [0, 2, 3]) arrays[i]!.set(own[i]!.subarray(0, size), at);
    }
  };
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
const sqrt = (a: Code): Code => [...a, 0xfd, 0xe3, 1];
const add = (a: Code, b: Code): Code => [...a, ...b, 0xfd, 0xe4, 1];
const sub = (a: Code, b: Code): Code => [...a, ...b, 0xfd, 0xe5, 1];
const mul = (a: Code, b: Code): Code => [...a, ...b, 0xfd, 0xe6, 1];
const div = (a: Code, b: Code): Code => [...a, ...b, 0xfd, 0xe7, 1];
const VECTOR = 0x7b;
const FLOAT = 0x7d;
const INTEGER = 0x7f;

/** A module with `memory` (weight, gradient, m, v, a STRIDE apart) and `step(bytes, factor, decay, rate, correction)`. */
function assemble({ beta1, beta2, eps }: AdamWConstants): Uint8Array<ArrayBuffer> {
  const [bytes, factor, decay, rate, correction] = [0, 1, 2, 3, 4].map(get);
  const [at, g, m, v] = [5, 6, 7, 8];
  const here = get(at!);
  const [weightAt, gradientAt, mAt, vAt] = [0, STRIDE, 2 * STRIDE, 3 * STRIDE];
  const body = [
    ...set(g!, mul(load(here, gradientAt!), splat(factor!))),
    ...set(m!, add(mul(load(here, mAt!), constant(beta1)), mul(get(g!), constant(1 - beta1)))),
    ...set(v!, add(mul(load(here, vAt!), constant(beta2)), mul(mul(get(g!), get(g!)), constant(1 - beta2)))),
    ...store(here, mAt!, get(m!)),
    ...store(here, vAt!, get(v!)),
    ...store(
      here,
      weightAt!,
      sub(
        mul(load(here, weightAt!), splat(decay!)),
        div(mul(get(m!), splat(rate!)), add(mul(sqrt(get(v!)), splat(correction!)), constant(eps))),
      ),
    ),
    ...set(at!, [...here, ...i32(16), 0x6a]), // at + 16
  ];
  const loop = [0x03, 0x40, ...body, ...here, ...bytes!, 0x48, 0x0d, 0, 0x0b]; // loop … while at < bytes
  const locals = [2, 1, INTEGER, 3, VECTOR];
  const code = [...locals, ...loop, 0x0b];
  const name = (text: string): Code => [text.length, ...new TextEncoder().encode(text)];
  const section = (id: number, content: Code): Code => [id, ...leb(content.length), ...content];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 5, INTEGER, FLOAT, FLOAT, FLOAT, FLOAT, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, ...leb((4 * STRIDE) / PAGE)]),
    ...section(7, [2, ...name('memory'), 2, 0, ...name('step'), 0, 0]),
    ...section(10, [1, ...leb(code.length), ...code]),
  ]);
}

/** A number ≥ 0 in seven-bit groups; the group added for bit 6 keeps signed readers from taking it as negative. */
function leb(value: number): Code {
  const low = value & 0x7f;
  const rest = value >> 7;
  return rest > 0 || low & 0x40 ? [low | 0x80, ...leb(rest)] : [low];
}
