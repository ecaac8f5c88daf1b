import { Tokenizer as BytePairEncoder } from '@huggingface/tokenizers';
import { AppError } from '../util/errors';

/** A learned word: its first vector answers to `token`, vector k ≥ 1 alone to `token_k`. Prefer bracketed names. */
export interface Placeholder {
  readonly token: string;
  /** rows of the token table that it owns */
  readonly vectors: number;
}

export interface TokenizerOptions {
  /** text of merges.txt */
  readonly merges: string;
  /** L, tokens per prompt with start and end: 77 for Stable Diffusion */
  readonly modelMaxLength: number;
  /** '<|endoftext|>' (SD1, default) or '!' (SD2) */
  readonly padToken?: string;
  /** get ids vocabSize, vocabSize + 1, … in this order */
  readonly placeholders?: readonly Placeholder[];
}

export interface EncodedPrompt {
  /** token ids, [L]: start, at most L − 2 tokens, end, padding */
  readonly ids: readonly number[];
  /** the word (normalised) that each token belongs to, [L]; null for start, end and padding */
  readonly words: readonly (string | null)[];
  /** the words in order with their tokens [begin, end); a learned word has all its vectors */
  readonly spans: readonly { readonly word: string; readonly begin: number; readonly end: number }[];
  /** tokens before padding, with start and end */
  readonly length: number;
  /** words that did not fit were dropped: tell the person */
  readonly truncated: boolean;
}

export interface Tokenizer {
  readonly modelMaxLength: number;
  /** without placeholders; rows of the text encoder's token table */
  readonly vocabSize: number;
  readonly bosId: number;
  readonly eosId: number;
  readonly padId: number;
  /** the same vocabulary with these placeholders and no others */
  withPlaceholders(placeholders: readonly Placeholder[]): Tokenizer;
  /** ids of a placeholder's vectors; empty when there is no such placeholder */
  placeholderIds(token: string): readonly number[];
  encode(prompt: string): EncodedPrompt;
  /**
   * Where a phrase stands in a prompt: positions in `ids`, over all its occurrences as whole words. Empty when it
   * does not occur (or was cut off).
   */
  tokenPositions(prompt: string, phrase: string): readonly number[];
}

const startOfText = '<|startoftext|>';
const endOfText = '<|endoftext|>';
const wordEnd = '</w>';

/** Merges of CLIP's vocabulary; OpenAI's own list goes on beyond it. Smaller vocabularies use all they have. */
const clipMerges = 48_894;

/**
 * CLIP's byte-pair tokenizer, from merges.txt alone. Token ids are positions in: the 256 byte symbols, the same with
 * '</w>', one entry per merge, start of text, end of text.
 *
 * @throws AppError BAD_FILE when merges.txt is malformed; BAD_REQUEST for a placeholder that cannot be told apart
 * @see Radford et al. 2021, arXiv:2103.00020; as Hugging Face's CLIPTokenizer (OpenAI's also unescapes HTML)
 */
export function createTokenizer(options: TokenizerOptions): Tokenizer {
  const { modelMaxLength, padToken = endOfText, placeholders = [] } = options;
  const merges = parseMerges(options.merges);
  const vocab = vocabulary(merges);
  const idOf = (token: string): number => {
    const id = vocab.get(token);
    if (id === undefined) throw new AppError('BAD_FILE', `the vocabulary has no token ${token}`);
    return id;
  };
  const bytePairs = new BytePairEncoder(
    {
      added_tokens: [],
      normalizer: null,
      // one word at a time comes in: the words of CLIP are split below, where their places are known
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
      post_processor: null,
      decoder: null,
      model: {
        type: 'BPE',
        vocab: Object.fromEntries(vocab),
        merges,
        unk_token: endOfText,
        end_of_word_suffix: wordEnd,
      },
    },
    {},
  );
  const [bosId, eosId, padId] = [idOf(startOfText), idOf(endOfText), idOf(padToken)];
  const learned = placeholderTable(placeholders, vocab.size);
  /** tokens that are matched before words are, by normalised text */
  const fixed = new Map([[startOfText, [bosId]], [endOfText, [eosId]], ...learned]);
  const longestFirst = [...fixed.keys()].sort((a, b) => b.length - a.length);
  const fixedPattern = new RegExp(`(${longestFirst.map(escaped).join('|')})`, 'u');

  const split = (prompt: string): { word: string; ids: readonly number[] }[] =>
    normalise(prompt)
      .split(fixedPattern)
      .flatMap((part) => {
        const ids = fixed.get(part);
        if (ids) return [{ word: part, ids }];
        return (part.match(wordPattern) ?? []).map((word) => ({ word, ids: bytePairs.encode(word).ids }));
      });

  return {
    modelMaxLength,
    vocabSize: vocab.size,
    bosId,
    eosId,
    padId,
    withPlaceholders: (others) => createTokenizer({ ...options, placeholders: others }),
    placeholderIds: (token) => learned.get(normalise(token)) ?? [],
    encode(prompt) {
      const parts = split(prompt);
      const tokens = parts.flatMap(({ word, ids }) => ids.map((id) => ({ word, id })));
      const kept = tokens.slice(0, modelMaxLength - 2);
      let next = 1;
      const spans = parts.map(({ word, ids }) => {
        const begin = next;
        next += ids.length;
        return { word, begin, end: Math.min(next, kept.length + 1) };
      });
      const padding = modelMaxLength - 2 - kept.length;
      return {
        ids: [bosId, ...kept.map(({ id }) => id), eosId, ...new Array<number>(padding).fill(padId)],
        words: [null, ...kept.map(({ word }) => word), null, ...new Array<null>(padding).fill(null)],
        spans: spans.filter(({ begin, end }) => begin < end),
        length: kept.length + 2,
        truncated: kept.length < tokens.length,
      };
    },
    tokenPositions(prompt, phrase) {
      const sought = split(phrase).map(({ word }) => word);
      const words = split(prompt);
      const found = new Set<number>();
      let position = 1;
      for (let i = 0; i < words.length; position += words[i++]!.ids.length) {
        if (sought.length === 0 || sought.some((word, k) => words[i + k]?.word !== word)) continue;
        const count = words.slice(i, i + sought.length).reduce((n, { ids }) => n + ids.length, 0);
        for (let k = 0; k < count; k++) found.add(position + k);
      }
      return [...found].filter((at) => at < modelMaxLength - 1).sort((a, b) => a - b);
    },
  };
}

/** Words of CLIP: contractions, runs of letters, single digits, runs of anything else but spaces. */
const wordPattern = /'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\p{White_Space}\p{L}\p{N}]+/gu;

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** Unicode NFC, one space for any run of white space, lower case letter by letter (no final sigma, as the reference). */
const normalise = (text: string): string =>
  Array.from(text.normalize('NFC').replace(/\p{White_Space}+/gu, ' '), (char) => char.toLowerCase())
    .join('')
    .replace(/^ | $/g, '');

function parseMerges(text: string): [string, string][] {
  const lines = text.split('\n').map((line) => line.trimEnd());
  if (lines[0]?.includes('#version')) lines.shift();
  return lines
    .filter((line) => line !== '')
    .slice(0, clipMerges)
    .map((line) => {
      const pair = line.split(' ');
      if (pair.length !== 2 || !pair[0] || !pair[1]) {
        throw new AppError(
          'BAD_FILE',
          `merges.txt has a line that is not two symbols: "${line.slice(0, 80)}"`,
        );
      }
      return pair as [string, string];
    });
}

function vocabulary(merges: readonly (readonly [string, string])[]): Map<string, number> {
  const bytes = byteSymbols();
  const merged = merges.map(([left, right]) => left + right);
  const tokens = [...bytes, ...bytes.map((symbol) => symbol + wordEnd), ...merged, startOfText, endOfText];
  // two merges may spell the same token: it has one entry
  return new Map([...new Set(tokens)].map((token, id) => [token, id]));
}

/** GPT-2's printable stand-ins for bytes, in the order of CLIP's vocabulary: printable bytes first, then the rest. */
function byteSymbols(): string[] {
  const printable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  const rest = bytes.filter((byte) => !printable(byte));
  return [...bytes.filter(printable), ...rest.map((_, i) => 256 + i)].map((code) =>
    String.fromCodePoint(code),
  );
}

/** Normalised text → ids, for each placeholder and each of its later vectors. */
function placeholderTable(placeholders: readonly Placeholder[], firstId: number): Map<string, number[]> {
  const table = new Map<string, number[]>();
  const vectors = new Map<string, number[]>();
  let id = firstId;
  for (const placeholder of placeholders) {
    const token = normalise(placeholder.token);
    if (token === '' || table.has(token) || token === startOfText || token === endOfText) {
      throw new AppError(
        'BAD_REQUEST',
        `the placeholder "${placeholder.token}" is empty, reserved or used twice`,
      );
    }
    const ids = Array.from({ length: placeholder.vectors }, () => id++);
    table.set(token, ids);
    ids.slice(1).forEach((vector, k) => {
      vectors.set(`${token}_${k + 1}`, [vector]);
    });
  }
  // a placeholder of its own named like a later vector of another wins
  return new Map([...vectors, ...table]);
}

/**
 * Length and padding from the files beside merges.txt (either may be absent).
 *
 * @param tokenizerConfig   parsed tokenizer_config.json
 * @param specialTokensMap  parsed special_tokens_map.json; has the last word on padding, as in transformers
 */
export function tokenizerSettings(
  tokenizerConfig: unknown,
  specialTokensMap: unknown,
): { modelMaxLength: number; padToken: string } {
  const field = (json: unknown, key: string): unknown =>
    typeof json === 'object' && json !== null ? (json as Record<string, unknown>)[key] : undefined;
  // a token is written as text or as {content, …}
  const token = (json: unknown): unknown =>
    field(field(json, 'pad_token'), 'content') ?? field(json, 'pad_token');
  const length = field(tokenizerConfig, 'model_max_length');
  const pad = token(specialTokensMap) ?? token(tokenizerConfig);
  return {
    // transformers writes 1e30 for "unknown"; every CLIP text encoder then has 77
    modelMaxLength: typeof length === 'number' && length >= 3 && length <= 4096 ? Math.floor(length) : 77,
    padToken: typeof pad === 'string' ? pad : endOfText,
  };
}
