/**
 * Our half of check_concepts.py: reads concepts from a folder, writes them anew in our files, and the weights that our
 * changes make of the base. `npx tsx tools/oracle/write-concepts.ts FOLDER`, where FOLDER holds base.json (shapes),
 * base.safetensors (`unet/<name>`, `textEncoder/<name>`) and in/*.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, parse } from 'node:path';
import { type Concept, readConcept } from '../../src/formats/concept';
import type { ConceptBase, Network } from '../../src/formats/concept-base';
import {
  type ConceptContext,
  toLowRank,
  writeConcept,
  writeCustomDiffusion,
  writeLora,
  writeTextualInversion,
} from '../../src/formats/concept-export';
import { openSafetensors, type StoredTensor, storedTensor, writeSafetensors } from '../../src/formats/safetensors';
import { applyChange } from '../../src/formats/weight-change';
import { bytesSource } from '../../src/util/byte-source';
import type { NdArray } from '../../src/util/nd-array';

const folder = process.argv[2]!;
const bytesOf = (name: string): Uint8Array => new Uint8Array(readFileSync(join(folder, name)));
const save = (name: string, bytes: Uint8Array): void => {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), bytes);
};

const shapes = JSON.parse(readFileSync(join(folder, 'base.json'), 'utf8'));
const base: ConceptBase = {
  id: 'tiny',
  unet: new Map(Object.entries(shapes.unet)),
  textEncoder: new Map(Object.entries(shapes.textEncoder)),
};
const context: ConceptContext = {
  base,
  about: {
    title: 'check',
    method: 'custom-diffusion',
    classWord: 'cat',
    resolution: 64,
    predictionType: 'epsilon',
    appVersion: '0.0.0',
    date: '2026-01-01T00:00:00Z',
  },
};
const weights = await openSafetensors(bytesSource('base.safetensors', bytesOf('base.safetensors')));
const readBase = (network: Network, name: string): Promise<NdArray> => weights.readFloat32(`${network}/${name}`);

/** The weights that a concept makes of the base: '<network>/<name>'. */
async function effective(concept: Concept): Promise<Uint8Array> {
  const weightsAfter: Record<string, StoredTensor> = {};
  for (const network of ['unet', 'textEncoder'] as const) {
    for (const change of concept[network]) {
      const changed = applyChange(await readBase(network, change.name), change);
      weightsAfter[`${network}/${change.name}`] = storedTensor(changed);
    }
  }
  return writeSafetensors(weightsAfter);
}

for (const file of readdirSync(join(folder, 'in'))) {
  const { concept } = await readConcept(bytesSource(file, bytesOf(`in/${file}`)), base);
  const stem = `out/${parse(file).name}`;
  save(`${stem}/effective.safetensors`, await effective(concept));
  const changes = [...concept.unet, ...concept.textEncoder];
  if (changes.some(({ kind }) => kind === 'replace')) {
    save(`${stem}/custom/pytorch_custom_diffusion_weights.safetensors`, await writeCustomDiffusion(concept, context));
    // at full rank nothing is lost
    const { concept: low } = await toLowRank(concept, 16, readBase);
    save(`${stem}/kohya.safetensors`, await writeLora(low, context, { dtype: 'F32' }));
  } else if (changes.length > 0) {
    const half = await writeLora(concept, context);
    save(`${stem}/kohya.safetensors`, half);
    // what the file itself says, rounded to fp16
    const rounded = await readConcept(bytesSource('kohya.safetensors', half), base);
    save(`${stem}/effective16.safetensors`, await effective(rounded.concept));
    save(`${stem}/kohya32.safetensors`, await writeLora(concept, context, { dtype: 'F32' }));
    save(`${stem}/peft.safetensors`, await writeLora(concept, context, { dtype: 'F32', dialect: 'peft' }));
  }
  for (const token of concept.tokens) {
    save(`${stem}/word.safetensors`, await writeTextualInversion(token, context));
    save(`${stem}/word.diffusers.safetensors`, await writeTextualInversion(token, context, 'diffusers'));
  }
  const { files } = await writeConcept(concept, context, 'concept', { readBase, rank: 8, extras: true });
  for (const { name, bytes } of files) save(`${stem}/export/${name}`, bytes);
}
