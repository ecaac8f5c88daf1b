/** What a tensor of a LoRA file is to its module. */
export type LoraPart = 'down' | 'up' | 'alpha' | 'diff' | 'diff_b';

export interface LoraKey {
  /** the module as the file spells it, without what differs between versions of one dialect */
  readonly module: string;
  readonly part: LoraPart;
}

/** Endings of the five dialects. 'default' is the adapter name that peft writes when asked to keep it. */
const ENDINGS: readonly (readonly [RegExp, LoraPart])[] = [
  [/\.(?:lora_down|lora_A(?:\.default)?|lora\.down|lora_linear_layer\.down)\.weight$/, 'down'],
  [/\.(?:lora_up|lora_B(?:\.default)?|lora\.up|lora_linear_layer\.up)\.weight$/, 'up'],
  // the attention processors of diffusers before 0.20: '….attn1.processor.to_q_lora.down.weight'
  [/_lora\.down\.weight$/, 'down'],
  [/_lora\.up\.weight$/, 'up'],
  [/(?:_lora)?\.alpha$/, 'alpha'],
  [/\.diff(?:\.weight)?$/, 'diff'],
  [/\.diff_b$/, 'diff_b'],
];

/** Families of adapters that are not W + up · down, by what their keys contain. @see LyCORIS, peft */
const OTHERS: readonly (readonly [RegExp, string])[] = [
  [/\.hada_/, 'LoHa'],
  [/\.lokr_/, 'LoKr'],
  [/\.dora_scale$|\.lora_magnitude_vector/, 'DoRA'],
  [/\.oft_|\.boft_|\.oft_blocks|(?:^|_)oft_(?:unet|te)_/, 'OFT'],
  [/\.lora_mid\./, 'LoCon with Tucker decomposition'],
  [/\.on_input$|\.ia3_/, 'IA3'],
  [/\.[ab][12]\.weight$/, 'GLoRA'],
  [/\.lora_embedding_[AB]/, 'LoRA of the token table'],
  [/\.lora_B(?:\.default)?\.bias$/, 'LoRA with biases'],
  [/\.[wb]_norm$/, 'Norm'],
];

/** Name of the family when a key belongs to an adapter that we do not read, else null. */
export const otherAdapter = (key: string): string | null =>
  OTHERS.find(([pattern]) => pattern.test(key))?.[1] ?? null;

/** Module and part of a LoRA key in any dialect; null when it is none. */
export function parseLoraKey(key: string): LoraKey | null {
  const found = ENDINGS.find(([pattern]) => pattern.test(key));
  if (!found) return null;
  const [pattern, part] = found;
  const module = key
    .replace(pattern, '')
    .replace(/^base_model\.model\./, '')
    .replace('.processor.', '.')
    .replace(/\.to_out$/, '.to_out.0');
  return { module, part };
}
