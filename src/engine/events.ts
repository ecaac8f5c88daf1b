import type { ImageRef, Recipe } from '../document/document';
import type { Capabilities } from '../runtime/capabilities';
import type { Pixels } from '../util/pixels';

/** One union for every job, present and future: one progress panel serves all methods. Plain data, structured-cloneable. */
export type JobEvent<Result> =
  | { readonly kind: 'queued' }
  /** a named phase began; fraction in [0,1] of that phase where known */
  | { readonly kind: 'stage'; readonly name: StageName; readonly fraction?: number }
  | {
      readonly kind: 'step';
      readonly index: number;
      readonly total: number;
      readonly metrics?: Readonly<Record<string, number>>;
    }
  /** latest look of the edited square at model resolution (or latent resolution when `quality` is 'linear') */
  | {
      readonly kind: 'preview';
      readonly index: number;
      readonly quality: 'linear' | 'decoded';
      readonly pixels: Pixels;
    }
  /** something the person should know that is not an error, e.g. a retry in full precision */
  | { readonly kind: 'notice'; readonly code: 'FP32_RETRY' | 'BACKEND_FALLBACK'; readonly message: string }
  | { readonly kind: 'result'; readonly value: Result };

export type StageName = 'load' | 'compile' | 'encode' | 'edit' | 'decode';

/** What Run asks for. The photo (and mask) must already be in storage under the ids in the recipe. */
export interface EditRequest {
  readonly recipe: Recipe;
}

export interface EditResult {
  /** the recipe as run */
  readonly recipe: Recipe;
  /** edited square at model resolution, stored */
  readonly square: ImageRef;
  /** the unedited square after the same encode and decode, stored: what stitching compares `square` with */
  readonly reconstruction: ImageRef;
  /** the soft mask that was used at model resolution, stored (white = edited); null for methods without one */
  readonly mask: ImageRef | null;
  /** steps done; fewer than asked when stopped */
  readonly steps: number;
  readonly stopped: boolean;
  /** ms per stage, per-step median etc.; not part of the recipe */
  readonly timings: Readonly<Record<string, number>>;
}

export type EditEvent = JobEvent<EditResult>;

/** A field of a method's options, so that one form and one command-line parser serve every method. */
export interface OptionField {
  readonly label: string;
  /** one-line effect in plain words */
  readonly help: string;
  readonly min?: number;
  readonly max?: number;
  readonly step?: number;
  readonly choices?: readonly string[];
}

export interface MethodInfo {
  readonly name: string;
  readonly label: string;
  readonly help: string;
  readonly defaults: Readonly<Record<string, number | string | boolean>>;
  readonly fields: Readonly<Record<string, OptionField>>;
}

export interface ModelInfo {
  /** 'starter' or an imported model's id */
  readonly id: string;
  readonly label: string;
  /** side in px of the pictures it works on */
  readonly size: number;
  readonly license: string;
}

/** What the engine worker exposes (over Comlink; `edit` is a job, see util/rpc.ts). */
export interface EngineInfo {
  readonly capabilities: Capabilities;
  readonly methods: readonly MethodInfo[];
  readonly models: readonly ModelInfo[];
}
