import { AppError } from '../util/errors';
import { type NdArray, sizeOf } from '../util/nd-array';
import { type ConceptBase, otherBase, textWidth } from './concept-base';
import { read } from './lora';
import { type StoredTensor, storedTensor } from './safetensors';
import type { TensorFile } from './torch-file';

/** A word that the text encoder learned. */
export interface ConceptToken {
  /** placeholder in prompts, e.g. '<miso>' */
  readonly token: string;
  /** rows of the token table, [n, D] */
  readonly vectors: NdArray;
}

/** CLIP reads 77 tokens, of which a beginning and an end. */
const maxVectors = 75;

/** Keys beside the vectors in A1111's files. */
const isExtra = (key: string): boolean => /^(string_to_token|sd_checkpoint)\b/.test(key);

/** 'learned/miso.v2.safetensors' → 'miso.v2' */
export const stemOf = (file: string): string => file.replace(/^.*[/\\]/, '').replace(/\.[^.]+$/, '');

/** A1111, ComfyUI and InvokeAI name the word after the file; brackets keep it apart from ordinary words. */
const bracketed = (stem: string): string => (/^<.*>$/.test(stem) ? stem : `<${stem}>`);

/** '<miso>' → 'miso', what a file of this token is called */
export const bareToken = (token: string): string => token.replace(/^<(.*)>$/, '$1');

/**
 * True for the layouts of FORMATS.md 3.1: named by their keys, or nothing but one- and two-dimensional tensors of one
 * width.
 */
export function isTextualInversion({ tensors }: TensorFile): boolean {
  const keys = [...tensors.keys()].filter((key) => !isExtra(key));
  if (keys.some((key) => /^string_to_param\.|^emb_params$|^clip_[lg]$/.test(key))) return true;
  const widths = new Set(keys.map((key) => tensors.get(key)!.shape.at(-1)));
  return (
    keys.length > 0 &&
    widths.size === 1 &&
    keys.every((key) => !/\.(weight|bias)$/.test(key) && [1, 2].includes(tensors.get(key)!.shape.length))
  );
}

/**
 * Read the embeddings of a file in any layout: diffusers (one key per word, 1-D or 2-D), A1111 (`string_to_param`),
 * kohya (`emb_params`).
 *
 * @param word  the placeholder where the file itself does not tell, default: after the file's name
 * @throws AppError UNSUPPORTED_MODEL for SDXL's pairs and other widths, BAD_FILE for shapes that are no embeddings
 */
export async function readTextualInversion(
  file: TensorFile,
  base: ConceptBase,
  word: string = bracketed(stemOf(file.name)),
): Promise<readonly ConceptToken[]> {
  const { tensors } = file;
  const width = textWidth(base);
  // clip_g is the second text encoder of SDXL; a lone clip_l has the layout of emb_params
  if (tensors.has('clip_g')) throw otherBase(file.name, 2048, base);
  const tokens: ConceptToken[] = [];
  for (const [key, { shape }] of tensors) {
    if (isExtra(key)) continue;
    const d = shape.at(-1) ?? 0;
    const n = sizeOf(shape.slice(0, -1));
    if (shape.length < 1 || shape.length > 2 || n < 1 || n > maxVectors) {
      throw new AppError('BAD_FILE', `${file.name}: ${key} is [${shape}], not 1 to ${maxVectors} vectors`);
    }
    if (d !== width) throw otherBase(file.name, d, base);
    const isNamed = !/^string_to_param\.|^emb_params$|^clip_l$/.test(key);
    const { data } = await read(file, key);
    tokens.push({ token: isNamed ? key : word, vectors: { data, shape: [n, d] } });
  }
  const words = new Set(tokens.map(({ token }) => token));
  if (tokens.length === 0 || words.size !== tokens.length) {
    throw new AppError('BAD_FILE', `${file.name} holds ${tokens.length} embeddings for ${words.size} words`);
  }
  return tokens;
}

/**
 * One vector as `{"<word>": [D]}`, the form that diffusers, A1111, ComfyUI and InvokeAI all read; several as
 * `{"emb_params": [n,D]}`, or with `layout: 'diffusers'` under the word.
 *
 * @see FORMATS.md 3.1
 */
export function embeddingTensors(
  { token, vectors }: ConceptToken,
  layout: 'common' | 'diffusers' = 'common',
): Record<string, StoredTensor> {
  const { data, shape } = vectors;
  if (shape[0] === 1) return { [token]: storedTensor({ data, shape: [data.length] }) };
  return { [layout === 'common' ? 'emb_params' : token]: storedTensor(vectors) };
}
