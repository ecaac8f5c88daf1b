/** A concept of several files, for other programs, as one zip; and the way back. */
import { strToU8, unzipSync, type Zippable, zipSync } from 'fflate';
import { AppError } from '../util/errors';
import type { ConceptExport, NamedFile } from './concept-export';
import { isZip } from './torch-file';

/** Fixed, so that equal concepts give equal zips (a zip's clock begins in 1980). */
const MTIME = new Date(1980, 0, 1);
/** Files that a zip may list; ours has a handful. */
const MAX_ENTRIES = 1000;

/** @param words  what calls the concept up, e.g. '<miso> cat' */
export function zipConcept(
  { files, keptEnergy }: ConceptExport,
  title: string,
  words: string,
): Uint8Array<ArrayBuffer> {
  const entries: Zippable = {
    'README.txt': strToU8(readme(files, keptEnergy, title, words)),
    ...Object.fromEntries(files.map(({ name, bytes }) => [name, bytes])),
  };
  // weights hardly compress
  return zipSync(entries, { level: 0, mtime: MTIME });
}

const KINDS: readonly (readonly [RegExp, (kept: number | null) => string])[] = [
  [
    /custom_diffusion/,
    () =>
      'exact, for diffusers: pipe.unet.load_attn_procs("diffusers", ' +
      'weight_name="pytorch_custom_diffusion_weights.safetensors", _pipeline=pipe)',
  ],
  [/^unet\//, () => 'exact, for diffusers: UNet2DConditionModel.from_pretrained("unet")'],
  [/^text_encoder\//, () => 'exact, for transformers: CLIPTextModel.from_pretrained("text_encoder")'],
  [/^exact\//, () => 'exact, for DreamSteerer Studio'],
  [/^embeddings\//, () => 'the learned word: a Textual Inversion embedding; keep its name'],
  [
    /^[^/]+\.safetensors$/,
    (kept) =>
      'LoRA for A1111, Forge, ComfyUI, InvokeAI and diffusers' +
      (kept === null ? '' : `; it keeps ${(100 * kept).toFixed(1)} % of what was learned`),
  ],
];

function readme(files: readonly NamedFile[], kept: number | null, title: string, words: string): string {
  const lines = files.flatMap(({ name }) => {
    const kind = KINDS.find(([pattern]) => pattern.test(name));
    return kind && !name.endsWith('.json') ? [`${name}\n    ${kind[1](kept)}`] : [];
  });
  return `${[`${title}: write “${words}” to call it up.`, ...lines].join('\n\n')}\n`;
}

/** A concept file as it is, or the one in a zip of ours. @throws AppError BAD_FILE when the zip is damaged; TOO_BIG */
export const unwrapped = (file: NamedFile, most: number): NamedFile =>
  (isZip(file.bytes) && conceptInZip(file.bytes, most)) || file;

/**
 * The file of a zip that holds its concept exactly, else its first one; null for a zip of something else, such as the
 * zips that PyTorch writes.
 *
 * @param most  bytes of that file
 * @throws AppError BAD_FILE when the zip is damaged; TOO_BIG
 */
export function conceptInZip(zip: Uint8Array, most: number): NamedFile | null {
  const listed: string[] = [];
  const list = (name: string): void => {
    if (listed.length >= MAX_ENTRIES) throw new AppError('TOO_BIG', 'this zip lists too many files');
    listed.push(name);
  };
  const only = (wanted?: string) =>
    unzip(zip, ({ name, originalSize }) => {
      if (wanted === undefined) list(name);
      if (name !== wanted) return false;
      if (originalSize <= most) return true;
      throw new AppError('TOO_BIG', `${name} has ${Math.round(originalSize / 1e6)} MB`);
    });
  only();
  const concepts = listed.filter((name) => name.endsWith('.safetensors'));
  const exact = concepts.find((name) => /^(exact|unet)\/|custom_diffusion/.test(name));
  const name = exact ?? concepts.find((name) => !name.includes('/')) ?? concepts[0];
  if (name === undefined) return null;
  return { name: name.split('/').at(-1)!, bytes: new Uint8Array(only(name)[name]!) };
}

function unzip(
  bytes: Uint8Array,
  filter: NonNullable<Parameters<typeof unzipSync>[1]>['filter'] & object,
): Record<string, Uint8Array> {
  try {
    return unzipSync(bytes, { filter });
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('BAD_FILE', 'it is a damaged zip archive: it may be cut off');
  }
}
