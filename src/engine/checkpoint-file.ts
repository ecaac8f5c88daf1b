/** A training run between two steps, as a safetensors file: weights, moments, samples, and where it stands. */
import { openSafetensors, type StoredTensor, storedTensor, writeSafetensors } from '../formats/safetensors';
import type { Checkpoint } from '../training/loop';
import { bytesSource } from '../util/byte-source';
import { AppError } from '../util/errors';
import type { NdArray } from '../util/nd-array';

const KIND = 'dreamsteerer.checkpoint';
/** Tensors are called '<slot> <weight>'; this slot holds the weights themselves. */
const WEIGHTS = 'weight';
/** and this one what a fit learns from, by number */
const GUIDED = 'guided';

/** A checkpoint with the guided samples of a fit; none of other runs. */
export interface StoredCheckpoint extends Checkpoint {
  readonly guided: readonly NdArray[];
}

/**
 * @param run  tells runs apart: two that reach the same state write two files, so that neither can delete the other's
 */
export function encodeCheckpoint(
  { step, configHash, state, guided = [] }: Checkpoint & Partial<StoredCheckpoint>,
  run: string,
): Uint8Array<ArrayBuffer> {
  const tensors: Record<string, StoredTensor> = {};
  const samples = guided.map((sample, i) => [String(i), sample] as const);
  for (const [slot, values] of Object.entries({
    ...state.slots,
    [WEIGHTS]: state.weights,
    [GUIDED]: samples,
  })) {
    for (const [name, value] of values) tensors[`${slot} ${name}`] = storedTensor(value);
  }
  return writeSafetensors(tensors, {
    [KIND]: '1',
    run,
    step: String(step),
    count: String(state.count),
    config_hash: configHash,
  });
}

/** @throws AppError BAD_FILE when it is damaged or no checkpoint */
export async function decodeCheckpoint(bytes: Uint8Array): Promise<StoredCheckpoint> {
  const file = await openSafetensors(bytesSource('the checkpoint', bytes));
  const { metadata } = file;
  const [step, count] = [Number(metadata.step), Number(metadata.count)];
  if (metadata[KIND] !== '1' || !Number.isSafeInteger(step) || !Number.isSafeInteger(count)) {
    throw new AppError('BAD_FILE', 'this file is not a checkpoint of a training run');
  }
  const slots: Record<string, Map<string, NdArray>> = {};
  for (const key of file.tensors.keys()) {
    const [slot, name] = [key.slice(0, key.indexOf(' ')), key.slice(key.indexOf(' ') + 1)];
    slots[slot] ??= new Map();
    slots[slot].set(name, await file.readFloat32(key));
  }
  const none = new Map<string, NdArray>();
  const { [WEIGHTS]: weights = none, [GUIDED]: samples = none, ...moments } = slots;
  const guided = [...samples].toSorted(([a], [b]) => Number(a) - Number(b)).map(([, sample]) => sample);
  return {
    step,
    configHash: metadata.config_hash ?? '',
    state: { count, weights, slots: moments },
    guided,
  };
}
