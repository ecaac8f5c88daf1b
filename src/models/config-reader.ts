import { AppError } from '../util/errors';

export type Json = Readonly<Record<string, unknown>>;

/** Real networks have up to five; a graph is built for every one of them before a weight is looked at. */
const MAX_STAGES = 8;

/**
 * Typed access to a config.json. A missing key means the default (old files omit most keys); a value that we cannot
 * build is refused by key name.
 */
export class ConfigReader {
  readonly #json: Json;
  /** class name, for messages */
  readonly model: string;

  /** @throws AppError UNSUPPORTED_MODEL when json is not an object */
  constructor(model: string, json: unknown) {
    this.model = model;
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw new AppError('UNSUPPORTED_MODEL', `the configuration of ${model} is not a JSON object`);
    }
    this.#json = json as Json;
  }

  raw(key: string, fallback: unknown): unknown {
    const value = this.#json[key];
    return value === undefined ? fallback : value;
  }

  /** @throws AppError UNSUPPORTED_MODEL */
  refuse(key: string, supported: string): never {
    const found = JSON.stringify(this.#json[key]) ?? 'missing';
    const message = `cannot build this ${this.model}: config key "${key}" is ${found}; supported: ${supported}`;
    throw new AppError('UNSUPPORTED_MODEL', message, { key, found });
  }

  /** Whole number in [low, high]; the bounds keep a hostile file from asking for absurd sizes. */
  int(key: string, fallback: number | undefined, low = 1, high = 65_536): number {
    const value = this.raw(key, fallback);
    return isInt(value, low, high) ? value : this.refuse(key, `a whole number in [${low}, ${high}]`);
  }

  number(key: string, fallback: number): number {
    const value = this.raw(key, fallback);
    return typeof value === 'number' && Number.isFinite(value) ? value : this.refuse(key, 'a number');
  }

  positive(key: string, fallback: number): number {
    const value = this.number(key, fallback);
    return value > 0 ? value : this.refuse(key, 'a positive number');
  }

  bool(key: string, fallback: boolean): boolean {
    const value = this.raw(key, fallback);
    return typeof value === 'boolean' ? value : this.refuse(key, 'true or false');
  }

  oneOf<const T extends string | null>(key: string, allowed: readonly T[], fallback: T): T {
    const value = this.raw(key, fallback);
    return (
      allowed.find((a) => a === value) ??
      (value === null && allowed.includes(null as T)
        ? (null as T)
        : this.refuse(key, allowed.map((a) => JSON.stringify(a)).join(' or ')))
    );
  }

  /** Non-empty list of whole numbers. */
  ints(key: string, fallback: readonly number[], length?: number): readonly number[] {
    const value = this.raw(key, fallback);
    const fits = Array.isArray(value) && value.length > 0 && value.every((v) => isInt(v, 1, 65_536));
    if (!fits || (length !== undefined && value.length !== length)) {
      return this.refuse(key, `a list of ${length ?? 'some'} positive whole numbers`);
    }
    return value as number[];
  }

  /** One whole number per stage, none above `high`; a single one counts for all. */
  perStage(key: string, fallback: number, stages: number, high = 65_536): readonly number[] {
    const value = this.raw(key, fallback);
    if (isInt(value, 1, high)) return Array<number>(stages).fill(value);
    const fits = Array.isArray(value) && value.length === stages && value.every((v) => isInt(v, 1, high));
    return fits ? value : this.refuse(key, `a whole number in [1, ${high}] or ${stages} of them`);
  }

  /** List of strings out of `allowed`, one for each stage. */
  types<T extends string>(key: string, allowed: readonly T[], fallback: readonly T[]): readonly T[] {
    const value = this.raw(key, fallback);
    const fits =
      Array.isArray(value) &&
      value.length > 0 &&
      value.length <= MAX_STAGES &&
      value.every((v) => allowed.includes(v));
    return fits ? (value as T[]) : this.refuse(key, `1 to ${MAX_STAGES} of ${allowed.join(', ')}`);
  }

  /** Refuse anything but the listed values for each key. A missing key is fine: it means the default. */
  only(allowed: Readonly<Record<string, readonly unknown[]>>): void {
    for (const [key, values] of Object.entries(allowed)) {
      const value = this.raw(key, values[0]);
      const list = Array.isArray(value) ? value : [value];
      if (list.length === 0 || !list.every((v) => values.includes(v))) {
        this.refuse(key, values.map((v) => JSON.stringify(v)).join(' or '));
      }
    }
  }
}

export const isInt = (value: unknown, low: number, high: number): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high;
