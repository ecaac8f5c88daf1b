import { AppError } from '../util/errors';
import { isRecord } from './safetensors-header';

/** Scale of a module of a LoRA that has no `.alpha` tensor. @param path  state-dict path @param rank  of its `down` */
export type ScaleRule = (network: 'unet' | 'textEncoder', path: string, rank: number) => number;

/** Without any word on alpha, alpha = r. @see FORMATS.md 3.2 */
const one: ScaleRule = () => 1;

/**
 * peft's LoraConfig as scales. diffusers stores it inside the file (`lora_adapter_metadata`, JSON, keys prefixed by the
 * network), plain peft beside it (`adapter_config.json`, one network).
 *
 * @param json  of either; null or undefined: neither exists
 * @throws AppError UNSUPPORTED_MODEL for DoRA, BAD_FILE when it is not such a configuration
 */
export function scaleRule(file: string, json: unknown): ScaleRule {
  if (json === null || json === undefined) return one;
  if (!isRecord(json))
    throw new AppError('BAD_FILE', `${file} has an adapter configuration that is not an object`);
  const prefixed = Object.keys(json).some((key) => /^(unet|text_encoder)\./.test(key));
  return (network, path, rank) => {
    const prefix = prefixed ? (network === 'unet' ? 'unet.' : 'text_encoder.') : '';
    const config = (key: string): unknown => json[prefix + key];
    if (config('use_dora') === true) {
      throw new AppError('UNSUPPORTED_MODEL', `${file} is a DoRA; only plain LoRA is read`);
    }
    const alpha = pattern(config('alpha_pattern'), path) ?? config('lora_alpha') ?? rank;
    if (typeof alpha !== 'number' || !Number.isFinite(alpha)) {
      throw new AppError('BAD_FILE', `${file} has an adapter configuration whose alpha is not a number`);
    }
    return alpha / (config('use_rslora') === true ? Math.sqrt(rank) : rank);
  };
}

/** Entry for a module. peft allows regular expressions as keys; ends of paths are what files hold, and are safe. */
function pattern(patterns: unknown, path: string): unknown {
  if (!isRecord(patterns)) return undefined;
  const key = Object.keys(patterns).find((end) => path === end || path.endsWith(`.${end}`));
  return key === undefined ? undefined : patterns[key];
}

/** JSON that diffusers keeps in the header of its LoRA files. @throws AppError BAD_FILE when it is not JSON */
export function adapterMetadata(file: string, metadata: Readonly<Record<string, string>>): unknown {
  const text = metadata.lora_adapter_metadata;
  if (text === undefined) return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new AppError('BAD_FILE', `${file} has adapter metadata that is not JSON`);
  }
}
