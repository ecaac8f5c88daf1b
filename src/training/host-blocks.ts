import type { HostMemory, Optimiser, Slots } from './optimiser';

/** Values of a block unless a single weight has more: WebAssembly addresses 4 GB, and large pieces are harder to find. */
const BLOCK = 2 ** 24;
/** Where a weight starts is a multiple of this many values. */
const LANES = 4;

/** A weight's part of a block. */
export interface HostWeight {
  readonly weight: Float32Array<ArrayBuffer>;
  readonly gradient: Float32Array;
  readonly slots: Slots<Float32Array>;
}

/**
 * Host memory for weights of the given sizes, laid side by side: one pass over it serves them all. Gaps stay zero.
 *
 * @throws AppError OUT_OF_MEMORY
 */
export function hostBlocks(
  optimiser: Optimiser,
  sizes: readonly number[],
): { readonly blocks: readonly HostMemory[]; readonly weights: readonly HostWeight[] } {
  const places: { block: number; at: number; size: number }[] = [];
  const lengths: number[] = [0];
  for (const size of sizes) {
    const room = LANES * Math.ceil(size / LANES);
    if (lengths.at(-1)! > 0 && lengths.at(-1)! + room > BLOCK) lengths.push(0);
    places.push({ block: lengths.length - 1, at: lengths.at(-1)!, size });
    lengths[lengths.length - 1]! += room;
  }
  const blocks = lengths.map((length) => optimiser.host(length));
  const weights = places.map(({ block, at, size }) => {
    const { weights: values, gradients, slots } = blocks[block]!;
    const part = <A extends Float32Array>(array: A) => array.subarray(at, at + size);
    return {
      weight: part(values) as Float32Array<ArrayBuffer>,
      gradient: part(gradients),
      slots: Object.fromEntries(optimiser.slots.map((slot) => [slot, part(slots[slot]!)])),
    };
  });
  return { blocks, weights };
}
