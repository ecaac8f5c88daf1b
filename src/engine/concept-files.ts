/** Concepts between training, files and networks. */
import type { ModelParts } from '../diffusion/model';
import type { Changes, WeightMap } from '../diffusion/personalise';
import type { ConceptRef } from '../document/document';
import { type Concept as FileConcept, readConcept } from '../formats/concept';
import type { ConceptBase } from '../formats/concept-base';
import { bareToken } from '../formats/textual-inversion';
import { applyChange, type WeightChange } from '../formats/weight-change';
import type { Concept } from '../personalization/concept';
import { factorNames } from '../personalization/lora';
import { bytesSource } from '../util/byte-source';
import { AppError } from '../util/errors';
import type { EngineHost } from './host';

/** What was learned, as files hold it. */
export function toFileConcept({ token, rows, unet, text, lora }: Concept): FileConcept {
  const replaced = (weights: Concept['unet']): WeightChange[] =>
    [...weights].map(([name, value]) => ({ kind: 'replace', name, value }));
  const low = [...(lora?.factors ?? [])].flatMap(([factor, down]): WeightChange[] => {
    if (!lora || !factor.endsWith('.lora_A.weight')) return [];
    const name = factor.replace(/\.lora_A\.weight$/, '.weight');
    const up = lora.factors.get(factorNames(name)[1])!;
    return [{ kind: 'low-rank', name, down, up, scale: lora.alpha / lora.rank }];
  });
  return {
    tokens: rows ? [{ token, vectors: rows }] : [],
    unet: [...replaced(unet), ...low],
    textEncoder: replaced(text),
  };
}

/**
 * A stored concept as its base takes it.
 *
 * @throws AppError UNSUPPORTED_MODEL when it was made for another base; BAD_FILE when it is not stored or damaged
 */
export async function openConcept(
  host: Pick<EngineHost, 'readBytes'>,
  { id, name, token }: ConceptRef,
  base: ConceptBase,
  { unet, textEncoder }: Pick<ModelParts, 'unet' | 'textEncoder'>,
): Promise<Changes> {
  // some layouts have their word in the name of the file alone
  const file = bytesSource(`${bareToken(token) || name}.safetensors`, await host.readBytes(id));
  const { concept } = await readConcept(file, base);
  return {
    tokens: concept.tokens,
    unet: checked(weightMap(concept.unet), unet.weights, name),
    textEncoder: checked(weightMap(concept.textEncoder), textEncoder.weights, name),
  };
}

/** A file may change a weight more than once. */
function weightMap(changes: readonly WeightChange[]): WeightMap {
  const all = new Map<string, WeightChange[]>();
  for (const change of changes) all.set(change.name, [...(all.get(change.name) ?? []), change]);
  return new Map([...all].map(([name, each]) => [name, (weight) => each.reduce(applyChange, weight)]));
}

function checked(changes: WeightMap, weights: { has(name: string): boolean }, concept: string): WeightMap {
  const unknown = [...changes.keys()].find((name) => !weights.has(name));
  if (unknown === undefined) return changes;
  throw new AppError('UNSUPPORTED_MODEL', `${concept} changes ${unknown}, which this model does not have`);
}
