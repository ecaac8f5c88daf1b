import { AppError } from '../util/errors';

export type Shape = readonly number[];

/** State-dict key → shape. */
export type WeightShapes = ReadonlyMap<string, Shape>;

/** The networks that a concept changes. */
export type Network = 'unet' | 'textEncoder';

/** The model that a concept is for, as far as its files are concerned. */
export interface ConceptBase {
  /** model id, e.g. 'starter' or a repository; recorded in files */
  readonly id: string;
  /** tells bases of the same shape apart, lower-case hex, when known; see `readConceptBase` */
  readonly sha256?: string;
  /** every weight of the UNet, in diffusers' names */
  readonly unet: WeightShapes;
  /** every weight of the text encoder, in the names of transformers 4 (with 'text_model.') */
  readonly textEncoder: WeightShapes;
}

/** Width of prompt embeddings → what the field calls models of that width. */
const WIDTHS: ReadonlyMap<number, string> = new Map([
  [768, 'Stable Diffusion 1'],
  [1024, 'Stable Diffusion 2'],
  [1280, 'the second encoder of Stable Diffusion XL'],
  [2048, 'Stable Diffusion XL'],
]);

/** Width D of the base's prompt embeddings: 768 for SD1, 1024 for SD2. */
export function textWidth({ unet }: Pick<ConceptBase, 'unet'>): number {
  for (const [name, shape] of unet) if (name.endsWith('.attn2.to_k.weight')) return shape[1]!;
  throw new AppError('UNSUPPORTED_MODEL', 'this model takes no text, so it cannot learn a word');
}

/** What models of a width of prompt embeddings are called; null: nothing of their own. */
export const familyOf = (width: number): string | null => WIDTHS.get(width) ?? null;

const widthText = (width: number): string => {
  const family = familyOf(width);
  return family ? `${family} (width ${width})` : `models of width ${width}`;
};

/** A file for another base. The message says what was found and what this model is. */
export function otherBase(file: string, width: number, base: ConceptBase): AppError {
  const own = textWidth(base);
  return new AppError(
    'UNSUPPORTED_MODEL',
    `${file} was made for ${widthText(width)}; this model, ${base.id}, has width ${own}${
      WIDTHS.has(own) ? ` (${WIDTHS.get(own)})` : ''
    }`,
    { width, expected: own },
  );
}

/** How much of a file found its place in the base: "192 of 192". */
export interface KeyMatch {
  /** modules (for embeddings: vectors) that exist in the base with the right shape */
  readonly matched: number;
  readonly total: number;
  /** names of the others, as the file spells them */
  readonly unmatched: readonly string[];
}

/** @throws AppError UNSUPPORTED_MODEL unless every module has a place, or `partial` allows some to be left out */
export function checkMatch(file: string, match: KeyMatch, base: ConceptBase, partial = false): void {
  const { matched, total, unmatched } = match;
  if (unmatched.length === 0 || (partial && matched > 0)) return;
  const some = unmatched.slice(0, 3).join(', ') + (unmatched.length > 3 ? ', …' : '');
  throw new AppError(
    'UNSUPPORTED_MODEL',
    `${file} was made for another model: ${matched} of its ${total} modules exist in ${base.id}, not ${some}`,
    { ...match },
  );
}
