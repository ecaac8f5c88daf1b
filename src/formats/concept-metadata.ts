import { sha256 } from '../util/digest';
import { type ConceptBase, textWidth } from './concept-base';
import { type StoredTensor, writeSafetensors } from './safetensors';
import type { ConceptToken } from './textual-inversion';

/** How a concept came to be: what its files say about it. No field holds photo names or captions. */
export interface ConceptAbout {
  /** title, e.g. 'Miso' */
  readonly title: string;
  /** row of the table of methods, e.g. 'custom-diffusion' */
  readonly method: string;
  /** what it is, e.g. 'cat' */
  readonly classWord: string;
  /** words that call it up, e.g. '<miso> cat'; default: its learned words and what it is */
  readonly subject?: string;
  /** the word in it that is new or rare, e.g. 'sks'; where none was learned */
  readonly token?: string;
  /** px, side of the training pictures */
  readonly resolution: number;
  readonly predictionType: 'epsilon' | 'v_prediction';
  readonly appVersion: string;
  /** ISO 8601 */
  readonly date: string;
  /** revision of the base's repository */
  readonly baseRevision?: string;
  readonly author?: string;
  /** name or link; OpenRAIL-M's use restrictions travel with derivatives */
  readonly license?: string;
  /** data URL of a JPEG, only when the person ticked it: it shows their photo or what was learned from it */
  readonly thumbnail?: string;
  readonly training?: {
    readonly steps: number;
    readonly learningRate: number;
    readonly seed: number;
    readonly images: number;
    readonly optimizer?: string;
  };
  /** SHA-256 of the file that a steered concept came from */
  readonly parent?: string;
  /** of a steered concept; see `saveFit` */
  readonly fit?: { readonly key: string; readonly onTop: boolean };
  /** settings of the method, e.g. those of steering */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
}

/** What a file is, in ModelSpec's suffix of the architecture. */
export type ConceptKind = 'lora' | 'textual-inversion' | 'custom-diffusion' | 'weights';

/** Our own keys begin so. */
const OWN = 'dreamsteerer.';

const KOHYA_BASE: Readonly<Record<number, string>> = { 768: 'sd_v1', 1024: 'sd_v2', 2048: 'sdxl_base_v1-0' };

/**
 * Header of a concept file: kohya's `ss_*`, ModelSpec 1.0.1 and our own namespace; strings only.
 *
 * @param network  rank and alpha of a LoRA; absent for other kinds
 * @see FORMATS.md 3.6; https://github.com/Stability-AI/ModelSpec
 */
export function conceptMetadata(
  kind: ConceptKind,
  about: ConceptAbout,
  base: ConceptBase,
  tokens: readonly ConceptToken[],
  network?: { readonly rank: number; readonly alpha: number },
): Record<string, string> {
  const width = textWidth(base);
  const isV = about.predictionType === 'v_prediction';
  const words = tokens.length > 0 ? tokens.map(({ token }) => token) : about.token ? [about.token] : [];
  const { training } = about;
  const entries: Record<string, string | number | undefined> = {
    // ss_v2 says "Stable Diffusion 2.x" to kohya's tools
    ss_v2: width === 1024 ? 'True' : 'False',
    // models of other widths have no name that the field knows
    ss_base_model_version: (KOHYA_BASE[width] ?? base.id) + (width === 1024 && isV ? '_v' : ''),
    ...(network && {
      ss_network_module: 'networks.lora',
      ss_network_dim: network.rank,
      ss_network_alpha: network.alpha,
      ss_network_args: '{}',
    }),
    ss_output_name: about.title,
    ss_sd_model_name: base.id,
    ss_resolution: `(${about.resolution}, ${about.resolution})`,
    ss_steps: training?.steps,
    ss_num_train_images: training?.images,
    ss_learning_rate: training?.learningRate,
    ss_optimizer: training?.optimizer,
    ss_seed: training?.seed,
    // A1111 and Civitai show these as trigger words
    ss_tag_frequency:
      words.length > 0
        ? JSON.stringify({ concept: Object.fromEntries(words.map((w) => [w, 1])) })
        : undefined,
    'modelspec.sai_model_spec': '1.0.1',
    'modelspec.architecture': `${architecture(width, isV, base.id)}/${kind}`,
    'modelspec.implementation':
      kind === 'textual-inversion' ? 'https://github.com/Stability-AI/generative-models' : 'diffusers',
    'modelspec.title': about.title,
    'modelspec.resolution': `${about.resolution}x${about.resolution}`,
    'modelspec.date': about.date,
    'modelspec.prediction_type': isV ? 'v' : 'epsilon',
    'modelspec.author': about.author,
    'modelspec.license': about.license,
    'modelspec.thumbnail': about.thumbnail,
    'modelspec.trigger_phrase':
      about.subject ?? (words.length > 0 ? `${words.join(' ')} ${about.classWord}`.trim() : undefined),
    [`${OWN}method`]: about.method,
    [`${OWN}token`]: words[0],
    [`${OWN}subject`]: about.subject,
    [`${OWN}class_word`]: about.classWord,
    [`${OWN}app_version`]: about.appVersion,
    [`${OWN}base`]: base.id,
    [`${OWN}base_revision`]: about.baseRevision,
    [`${OWN}base_sha256`]: base.sha256,
    [`${OWN}parent`]: about.parent,
    [`${OWN}fit_key`]: about.fit?.key,
    [`${OWN}fit_on_top`]: about.fit && String(about.fit.onTop),
    [`${OWN}steps`]: training?.steps,
    [`${OWN}settings`]: about.settings && JSON.stringify(about.settings),
  };
  const known = Object.entries(entries).filter(([, value]) => value !== undefined);
  return Object.fromEntries(known.map(([key, value]) => [key, String(value)]));
}

function architecture(width: number, isV: boolean, id: string): string {
  if (width === 768) return 'stable-diffusion-v1';
  if (width === 1024) return isV ? 'stable-diffusion-v2-768-v' : 'stable-diffusion-v2-512';
  return width === 2048 ? 'stable-diffusion-xl-v1-base' : id;
}

/** What `conceptMetadata` was told, from a header of ours; null where another program wrote it. */
export function aboutOf(metadata: Readonly<Record<string, string>>): ConceptAbout | null {
  const own = ownMetadata(metadata);
  const resolution = Number.parseInt(metadata['modelspec.resolution'] ?? '', 10);
  if (own.method === undefined || own.class_word === undefined || !(resolution > 0)) return null;
  const optional = {
    subject: own.subject,
    token: own.token,
    baseRevision: own.base_revision,
    author: metadata['modelspec.author'],
    license: metadata['modelspec.license'],
    thumbnail: metadata['modelspec.thumbnail'],
  };
  const numbers = [
    metadata.ss_steps,
    metadata.ss_learning_rate,
    metadata.ss_seed,
    metadata.ss_num_train_images,
  ].map(Number) as [number, number, number, number];
  const [steps, learningRate, seed, images] = numbers;
  const optimizer = metadata.ss_optimizer;
  return {
    title: metadata['modelspec.title'] ?? '',
    method: own.method,
    classWord: own.class_word,
    resolution,
    predictionType: metadata['modelspec.prediction_type'] === 'v' ? 'v_prediction' : 'epsilon',
    appVersion: own.app_version ?? '',
    date: metadata['modelspec.date'] ?? '',
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
    ...(numbers.every(Number.isFinite) && {
      training: { steps, learningRate, seed, images, ...(optimizer !== undefined && { optimizer }) },
    }),
    ...(own.settings !== undefined && { settings: settingsIn(own.settings) }),
  };
}

/** Of the settings in a header, those that are plain. */
function settingsIn(json: string): NonNullable<ConceptAbout['settings']> {
  try {
    const entries = Object.entries(JSON.parse(json) as object);
    return Object.fromEntries(
      entries.filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value)),
    );
  } catch {
    return {};
  }
}

/** The words of a file that also changes weights: rows of the token table, base64 of little-endian float32. */
export function tokensEntry(tokens: readonly ConceptToken[]): Record<string, string> {
  if (tokens.length === 0) return {};
  const rows = tokens.map(({ token, vectors: { data } }) => [
    token,
    base64(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  ]);
  return { [`${OWN}tokens`]: JSON.stringify(Object.fromEntries(rows)) };
}

/** The inverse of `tokensEntry`; what is not well-formed is left out, since other programs may copy headers. */
export function readTokensEntry(
  metadata: Readonly<Record<string, string>>,
  width: number,
): readonly ConceptToken[] {
  try {
    const rows = JSON.parse(metadata[`${OWN}tokens`] ?? '{}') as Record<string, string>;
    return Object.entries(rows).flatMap(([token, text]) => {
      const data = new Float32Array(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)).buffer);
      const n = data.length / width;
      const fits = Number.isInteger(n) && n >= 1 && data.every(Number.isFinite);
      return fits ? [{ token, vectors: { data, shape: [n, width] } }] : [];
    });
  } catch {
    return [];
  }
}

/** Our own keys of a header, without their prefix. */
export const ownMetadata = (metadata: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(metadata).flatMap(([key, value]) =>
      key.startsWith(OWN) ? [[key.slice(OWN.length), value]] : [],
    ),
  );

/**
 * A safetensors file that names the SHA-256 of its own tensor bytes: `sshs_model_hash` (A1111, Civitai) and
 * `modelspec.hash_sha256`.
 */
export async function writeHashed(
  tensors: Readonly<Record<string, StoredTensor>>,
  metadata: Readonly<Record<string, string>>,
): Promise<Uint8Array<ArrayBuffer>> {
  const plain = writeSafetensors(tensors, metadata);
  const dataBegin = 8 + new DataView(plain.buffer).getUint32(0, true);
  const hash = await sha256([plain.slice(dataBegin)]);
  return writeSafetensors(tensors, {
    ...metadata,
    sshs_model_hash: hash,
    'modelspec.hash_sha256': `0x${hash}`,
  });
}

function base64(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
