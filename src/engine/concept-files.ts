/** Concepts between training, files and networks. */
import type { ModelParts } from '../diffusion/model';
import type { Changes, WeightMap } from '../diffusion/personalise';
import type { ConceptRef, LearnedConcept } from '../document/document';
import { type Concept as FileConcept, readConcept } from '../formats/concept';
import type { ConceptBase } from '../formats/concept-base';
import { bareToken } from '../formats/textual-inversion';
import { applyChange, type LowRankChange, rankOf, type WeightChange } from '../formats/weight-change';
import type { Concept } from '../personalization/concept';
import { factorNames } from '../personalization/lora';
import { bytesSource } from '../util/byte-source';
import { AppError } from '../util/errors';
import type { NdArray } from '../util/nd-array';
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

type Networks = Pick<ModelParts, 'unet' | 'textEncoder'>;

/**
 * The reverse of `toFileConcept`: what a file holds, as training takes it up again. The scales of a LoRA whose modules
 * differ in them are folded into its factors.
 *
 * @param onTop  what the file holds stays as it is, below an update of its own: then it may be anything, and what cannot
 *               train is merged into the weights of the base
 * @throws AppError BAD_REQUEST when it cannot train, or holds several words
 */
export async function fromFileConcept(
  { tokens, unet, textEncoder }: FileConcept,
  { name, method, token, classWord, subject }: Omit<LearnedConcept, 'id'>,
  parts: Networks,
  onTop: boolean,
): Promise<Concept> {
  const [word, ...others] = tokens;
  if (others.length > 0) {
    throw new AppError('BAD_REQUEST', `${name} holds ${tokens.length} words; one alone can be fitted`);
  }
  const words = {
    method,
    token: word?.token ?? token,
    classWord,
    subject,
    rows: word?.vectors ?? null,
  };
  const obstacle = whyFrozen(unet, textEncoder);
  if (obstacle === null) {
    const low = unet.filter((change) => change.kind === 'low-rank');
    return { ...words, unet: valuesOf(unet), text: valuesOf(textEncoder), lora: factorsOf(low) };
  }
  if (onTop) {
    const text = await merged(textEncoder, parts.textEncoder);
    return { ...words, unet: await merged(unet, parts.unet), text, lora: null };
  }
  throw new AppError('BAD_REQUEST', `${name} ${obstacle}; fit it with an update on top (rank 1 or more)`);
}

/** null: every change can train where it is */
function whyFrozen(unet: readonly WeightChange[], text: readonly WeightChange[]): string | null {
  const all = [...unet, ...text];
  if (text.some(({ kind }) => kind === 'low-rank')) {
    return 'has a low-rank update of the text encoder, which cannot be trained further';
  }
  const kinds = new Set(all.map(({ kind }) => kind));
  if (kinds.has('add') || kinds.size > 1) return 'mixes kinds of changes, which cannot be trained further';
  return null;
}

const valuesOf = (changes: readonly WeightChange[]): Map<string, NdArray> =>
  new Map(changes.flatMap((change) => (change.kind === 'replace' ? [[change.name, change.value]] : [])));

function factorsOf(changes: readonly LowRankChange[]): Concept['lora'] {
  const [first] = changes;
  if (!first) return null;
  const scale = changes.find((change) => change.scale !== 0)?.scale ?? 0;
  const factors = changes.flatMap(({ name, down, up, scale: own }): [string, NdArray][] => {
    const [a, b] = factorNames(name);
    const scaled = own === scale ? up : { data: up.data.map((v) => v * (own / scale)), shape: up.shape };
    return [
      [a, down],
      [b, scaled],
    ];
  });
  const rank = rankOf(first);
  return { rank, alpha: scale * rank, factors: new Map(factors) };
}

async function merged(
  changes: readonly WeightChange[],
  { weights }: Networks['unet'] | Networks['textEncoder'],
): Promise<Map<string, NdArray>> {
  const all = weightMap(changes);
  const values = new Map<string, NdArray>();
  for (const [name, change] of all) values.set(name, change(await weights.read(name)));
  return values;
}

const readStored = async (
  host: Pick<EngineHost, 'readBytes'>,
  { id, name, token }: ConceptRef,
  base: ConceptBase,
): Promise<FileConcept> => {
  // some layouts have their word in the name of the file alone
  const file = bytesSource(`${bareToken(token) || name}.safetensors`, await host.readBytes(id));
  return (await readConcept(file, base)).concept;
};

/**
 * A stored concept as training takes it.
 *
 * @param onTop  see `fromFileConcept`
 * @throws AppError BAD_REQUEST when it cannot train; UNSUPPORTED_MODEL; BAD_FILE
 */
export const openTrainable = async (
  host: Pick<EngineHost, 'readBytes'>,
  learned: LearnedConcept,
  base: ConceptBase,
  parts: Networks,
  onTop: boolean,
): Promise<Concept> => fromFileConcept(await readStored(host, learned, base), learned, parts, onTop);

/**
 * A stored concept as its base takes it.
 *
 * @throws AppError UNSUPPORTED_MODEL when it was made for another base; BAD_FILE when it is not stored or damaged
 */
export async function openConcept(
  host: Pick<EngineHost, 'readBytes'>,
  ref: ConceptRef,
  base: ConceptBase,
  parts: Networks,
): Promise<Changes> {
  return changesIn(await readStored(host, ref, base), ref.name, parts);
}

/**
 * What a file changes in a base.
 *
 * @param name  of the concept, for messages
 * @throws AppError UNSUPPORTED_MODEL when it was made for another base
 */
export const changesIn = (
  { tokens, unet, textEncoder }: FileConcept,
  name: string,
  parts: Networks,
): Changes => ({
  tokens,
  unet: checked(weightMap(unet), parts.unet.weights, name),
  textEncoder: checked(weightMap(textEncoder), parts.textEncoder.weights, name),
});

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
