/** What a request trains, and what comes of it. */
import type { ModelParts } from '../diffusion/model';
import { tokenRows } from '../diffusion/text-encoder';
import type { Tokenizer } from '../diffusion/tokenizer';
import { clipText, TOKEN_TABLE } from '../models/clip-text';
import type { Tap } from '../models/params';
import { recordWeights, type WeightTable } from '../models/weights';
import type { Graph } from '../onnx/graph';
import { concat, split } from '../onnx/movement';
import { detach } from '../onnx/ops';
import type { WeightStore } from '../runtime/weights';
import { TOKEN_ROWS } from '../training/denoising-loss';
import { copiesOf, type Trainable, type Trainables } from '../training/trainable';
import type { TrainerState } from '../training/trainer';
import { AppError } from '../util/errors';
import type { NdArray } from '../util/nd-array';
import type { Concept } from './concept';
import { loraFactors } from './lora';
import { checkLearnOptions, type LearnOptions, type PersonalizationMethod } from './method';
import { personalizationMethods } from './methods';

export interface LearnRequest {
  /** name of a row in methods.ts, and its options, complete and in range */
  readonly method: string;
  readonly options: LearnOptions;
  /** 1 to 20 squares [1,3,S,S] in [-1,1], S as the model's pictures */
  readonly pictures: readonly NdArray[];
  /** the new word, best in brackets: '<miso>'; for methods that learn no rows a rare word: 'sks' */
  readonly token: string;
  /** what it is: 'cat' */
  readonly classWord: string;
  readonly seed: number;
}

/** More pictures than this teach a style, not a thing, and take long to encode. */
export const MAX_PICTURES = 20;
/** A word of CLIP's vocabulary that hardly occurs in text, where Custom Diffusion starts. METHOD.md 7.7 */
const RARE_WORD = 'ktn';
/** Its number there: in another vocabulary it would be in pieces. */
const RARE_TOKEN = 42_170;

export interface Plan {
  readonly method: PersonalizationMethod;
  readonly options: LearnOptions;
  readonly trainables: Trainables;
  /** knows the new word, if the method learns one */
  readonly tokenizer: Tokenizer;
}

/** @throws AppError BAD_REQUEST, UNSUPPORTED_MODEL */
export function plan(base: ModelParts, request: LearnRequest): Plan {
  const method = personalizationMethods[request.method];
  if (!method) throw new AppError('BAD_REQUEST', `there is no method called ${request.method}`);
  const options = checkLearnOptions(request.options, method.defaults);
  const { pictures, token, classWord, seed } = request;
  if (pictures.length < 1 || pictures.length > MAX_PICTURES) {
    throw new AppError('BAD_REQUEST', `1 to ${MAX_PICTURES} pictures are needed, not ${pictures.length}`);
  }
  if (token.trim() === '' || classWord.trim() === '') {
    throw new AppError('BAD_REQUEST', 'a concept needs a name and a word for what it is');
  }
  const { unet, textEncoder } = base;
  if (unet.config.timeCondProjDim || unet.config.textTime) {
    throw new AppError('UNSUPPORTED_MODEL', 'learning needs a UNet without guidance or size conditioning');
  }
  const table = tableOf(unet.weights);
  const entries: [string, Trainable][] = [
    ...(method.unet ? copiesOf(table, method.unet, unet.weights) : []),
    ...(method.lora ? loraFactors(table, method.lora, options.rank, seed) : []),
  ];
  if (options.textEncoder > 0 && method.text) {
    entries.push(...copiesOf(textTable(base), method.text, textEncoder.weights));
  }
  if (options.vectors > 0) {
    entries.push([
      TOKEN_ROWS,
      { shape: [options.vectors, textEncoder.config.width], start: () => firstRows(base, request, method) },
    ]);
  }
  const tokenizer =
    options.vectors > 0
      ? base.tokenizer.withPlaceholders([{ token, vectors: options.vectors }])
      : base.tokenizer;
  return { method, options, trainables: new Map(entries), tokenizer };
}

const tableOf = (weights: WeightStore): WeightTable =>
  new Map([...weights.names].map((name) => [name, weights.shape(name)]));

/** The text encoder's weights that text states depend on (the token table is on the host). */
function textTable({ textEncoder: { config } }: ModelParts): WeightTable {
  return recordWeights((g, params) =>
    clipText(g, params, { embeddings: g.feed('embeddings', [1, config.maxLength, config.width]) }, config),
  );
}

/** Learned rows as they start: the class word's (mean of its pieces), or a rare word's. */
async function firstRows(
  { textEncoder, tokenizer, rareWord }: ModelParts,
  { options: { vectors }, classWord }: LearnRequest,
  { rowsStart }: PersonalizationMethod,
): Promise<NdArray> {
  const { width } = textEncoder.config;
  const row = tokenRows(await textEncoder.weights.read(TOKEN_TABLE), tokenizer.vocabSize);
  const rare = RARE_TOKEN < tokenizer.vocabSize ? RARE_WORD : rareWord;
  const encoded = tokenizer.encode(rowsStart === 'rare' ? rare : classWord);
  const pieces = encoded.ids.slice(1, encoded.length - 1).map(row);
  const data = new Float32Array(vectors * width);
  for (let i = 0; i < data.length; i++) {
    data[i] = pieces.reduce((sum, piece) => sum + piece[i % width]!, 0) / pieces.length;
  }
  return { data, shape: [vectors, width] };
}

/** Keys and values of the first token (start of text) are constants to gradients in cross-attention. FORMATS.md 1.2 (c) */
export const firstTokenDetached =
  (g: Graph): Tap =>
  (name, value) => {
    if (!/attn2\.[kv]$/.test(name)) return value;
    const [first, rest] = split(g, value, [1, value.shape[1]! - 1], 1);
    return concat(g, [detach(g, first!), rest!], 1);
  };

/** What a trainer has learned so far. */
export function conceptOf(request: LearnRequest, { weights }: TrainerState): Concept {
  const { method, options, token, classWord } = request;
  const where = (holds: (name: string) => boolean): Map<string, NdArray> =>
    new Map([...weights].filter(([name]) => name !== TOKEN_ROWS && holds(name)));
  const isFactor = (name: string): boolean => /\.lora_[AB]\.weight$/.test(name);
  const isText = (name: string): boolean => name.startsWith('text_model.');
  const factors = where(isFactor);
  return {
    method,
    token,
    classWord,
    subject: personalizationMethods[method]!.subject(token, classWord),
    rows: weights.get(TOKEN_ROWS) ?? null,
    unet: where((name) => !isFactor(name) && !isText(name)),
    text: where(isText),
    lora: factors.size > 0 ? { rank: options.rank, alpha: options.alpha, factors } : null,
  };
}
