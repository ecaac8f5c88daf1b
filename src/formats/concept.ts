import type { ByteSource } from '../util/byte-source';
import { AppError } from '../util/errors';
import { type ConceptBase, type KeyMatch, textWidth } from './concept-base';
import { ownMetadata, readTokensEntry } from './concept-metadata';
import { isWeights, readWeights } from './custom-diffusion-file';
import { LDM_PREFIX } from './keys-ldm';
import { isLora, type LoraOptions, readLora } from './lora';
import { openSafetensors } from './safetensors';
import { type ConceptToken, isTextualInversion, readTextualInversion } from './textual-inversion';
import { isPickle, isZip, openTorch, type TensorFile } from './torch-file';
import type { WeightChange } from './weight-change';

/** Something learned: words, and changes to the weights of a base. Never a copy of the base. */
export interface Concept {
  readonly tokens: readonly ConceptToken[];
  readonly unet: readonly WeightChange[];
  readonly textEncoder: readonly WeightChange[];
}

/** A concept read from a file, with what there is to say about the file. */
export interface ConceptFile {
  readonly concept: Concept;
  readonly kind: 'textual-inversion' | 'lora' | 'weights';
  /** "192 of 192 keys matched" */
  readonly match: KeyMatch;
  /** the whole header */
  readonly metadata: Readonly<Record<string, string>>;
  /** sentences for the person who opens it; the file works nevertheless */
  readonly warnings: readonly string[];
}

/**
 * Read a concept in any layout of FORMATS.md 3, from safetensors or from a PyTorch file (of which nothing is run).
 *
 * @param source  a bare name such as 'miso.pt' names the word where the file does not
 * @throws AppError UNSUPPORTED_MODEL when it was made for another base or is of a kind we do not read (by name);
 *                  BAD_FILE when it is damaged or no concept
 */
export async function readConcept(
  source: ByteSource,
  base: ConceptBase,
  options: LoraOptions = {},
): Promise<ConceptFile> {
  const file = await openTensors(source);
  const { metadata } = file;
  const known = (name: string): boolean => [...file.tensors.keys()].some((key) => key.startsWith(name));
  if (known(LDM_PREFIX.unet) || known(LDM_PREFIX.vae) || known('cond_stage_model.')) {
    throw new AppError(
      'BAD_FILE',
      `${source.name} is a whole model, not a concept; models are opened as folders in the diffusers layout`,
    );
  }
  const own = readTokensEntry(metadata, textWidth(base));
  const about = { metadata, warnings: warnings(metadata, base) };

  if (isLora(file.tensors.keys())) {
    // A1111 lets a LoRA carry its words as 'bundle_emb.<word>.<layout of a Textual Inversion file>'
    const bundled = await readBundled(file, base);
    const { match, ...changes } = await readLora(without(file, /^bundle_emb\./), base, options);
    return { ...about, kind: 'lora', match, concept: { ...changes, tokens: [...own, ...bundled] } };
  }
  if (isWeights(file.tensors.keys(), base)) {
    const { changes, tokens, match } = await readWeights(file, base, options);
    return {
      ...about,
      kind: 'weights',
      match,
      concept: { ...changes, tokens: tokens.length > 0 ? tokens : own },
    };
  }
  if (isTextualInversion(file)) {
    const tokens = await readTextualInversion(file, base, ownMetadata(metadata).token);
    const total = tokens.reduce((sum, { vectors }) => sum + vectors.shape[0]!, 0);
    const match = { matched: total, total, unmatched: [] };
    return { ...about, kind: 'textual-inversion', match, concept: { tokens, unet: [], textEncoder: [] } };
  }
  throw new AppError(
    'BAD_FILE',
    `${source.name} is not a concept: its tensors are those of neither a LoRA, an embedding nor Custom Diffusion`,
  );
}

/** Either container, by its first bytes; names of files do not tell. */
async function openTensors(source: ByteSource): Promise<TensorFile> {
  const start = await source.read(0, Math.min(9, source.size));
  if (isZip(start) || isPickle(start)) return openTorch(source);
  return { ...(await openSafetensors(source)), name: source.name };
}

const without = (file: TensorFile, pattern: RegExp): TensorFile => ({
  ...file,
  tensors: new Map([...file.tensors].filter(([key]) => !pattern.test(key))),
});

async function readBundled(file: TensorFile, base: ConceptBase): Promise<ConceptToken[]> {
  const words = new Map<string, Map<string, { shape: readonly number[] }>>();
  for (const [key, info] of file.tensors) {
    const [, word, rest] = /^bundle_emb\.([^.]+)\.(.+)$/.exec(key) ?? [];
    if (word !== undefined) words.set(word, (words.get(word) ?? new Map()).set(rest!, info));
  }
  const tokens: ConceptToken[] = [];
  for (const [word, tensors] of words) {
    const inner: TensorFile = {
      ...file,
      tensors,
      readFloat32: (key) => file.readFloat32(`bundle_emb.${word}.${key}`),
    };
    tokens.push(...(await readTextualInversion(inner, base, word)));
  }
  return tokens;
}

/** Only the record in the header tells two bases of the same shape apart. */
function warnings(metadata: Readonly<Record<string, string>>, base: ConceptBase): string[] {
  const { base: id, base_sha256: hash, fit_on_top: onTop } = ownMetadata(metadata);
  if (onTop === 'true') {
    return ['This is an update on top of another concept, fitted to one photo; alone it may show little.'];
  }
  if (id === undefined || (id === base.id && (!hash || !base.sha256 || hash === base.sha256))) return [];
  if (hash !== undefined && hash === base.sha256) return [];
  return [
    id === base.id
      ? `This concept was learned on another version of ${id}; it may look different here.`
      : `This concept was learned on ${id}, not on ${base.id}; it may look different here.`,
  ];
}
