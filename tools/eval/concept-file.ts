import { readFile } from 'node:fs/promises';
import { openSafetensors, storedTensor, writeSafetensors } from '../../src/formats/safetensors';
import type { Concept } from '../../src/personalization/concept';
import { bytesSource } from '../../src/util/byte-source';
import type { NdArray } from '../../src/util/nd-array';
import { writeAtomically } from '../images';

/** Learned numbers on disk, exact, with what else is to be known of them. */
export interface Stored {
  readonly concept: Concept;
  readonly about: Readonly<Record<string, unknown>>;
  /** further arrays, e.g. guided samples */
  readonly extra: readonly NdArray[];
}

const GROUPS = ['unet', 'text', 'lora'] as const;

export async function writeStored(path: string, { concept, about, extra }: Stored): Promise<number> {
  const { rows, unet, text, lora, ...words } = concept;
  const groups = { unet, text, lora: lora?.factors ?? new Map<string, NdArray>() };
  const tensors = Object.fromEntries([
    ...(rows ? [['rows', storedTensor(rows)] as const] : []),
    ...GROUPS.flatMap((group) =>
      [...groups[group]].map(([name, array]) => [`${group}:${name}`, storedTensor(array)] as const),
    ),
    ...extra.map((array, i) => [`extra:${String(i).padStart(3, '0')}`, storedTensor(array)] as const),
  ]);
  const metadata = {
    concept: JSON.stringify({ ...words, lora: lora && { rank: lora.rank, alpha: lora.alpha } }),
    about: JSON.stringify(about),
  };
  const bytes = writeSafetensors(tensors, metadata);
  await writeAtomically(path, bytes);
  return bytes.length;
}

/** null when there is no such file */
export async function readStored(path: string): Promise<Stored | null> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (!bytes) return null;
  const file = await openSafetensors(bytesSource(path, bytes));
  const named = await Promise.all(
    [...file.tensors.keys()].map(async (name) => [name, await file.readFloat32(name)] as const),
  );
  const group = (prefix: string): Map<string, NdArray> =>
    new Map(
      named.flatMap(([name, array]) =>
        name.startsWith(`${prefix}:`) ? [[name.slice(prefix.length + 1), array] as const] : [],
      ),
    );
  const { lora, ...words } = JSON.parse(file.metadata.concept!);
  return {
    concept: {
      ...words,
      rows: named.find(([name]) => name === 'rows')?.[1] ?? null,
      unet: group('unet'),
      text: group('text'),
      lora: lora && { ...lora, factors: group('lora') },
    },
    about: JSON.parse(file.metadata.about!),
    extra: [...group('extra')].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, array]) => array),
  };
}
