import type {
  BlobId,
  FittedConcept,
  FrameRef,
  ImageRef,
  LearnedConcept,
  OptionValue,
  PresetName,
  Recipe,
  RunCheckpoint,
  Square,
} from '../document/document';
import type { WordAttention } from '../editing/word-attention';
import type { Capabilities } from '../runtime/capabilities';
import type { OptionField } from '../util/options';
import type { Pixels } from '../util/pixels';
import type { JobPort } from '../util/rpc';

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
  | Notice
  | { readonly kind: 'result'; readonly value: Result };

/** Something the person should know that is not an error, e.g. a retry in full precision. */
export interface Notice {
  readonly kind: 'notice';
  readonly code: 'FP32_RETRY' | 'BACKEND_FALLBACK' | 'PROMPT_CUT';
  readonly message: string;
}

export type StageName =
  | 'load'
  | 'compile'
  | 'encode'
  | 'invert'
  | 'null-text'
  | 'edit'
  | 'decode'
  | 'prior'
  | 'learn'
  | 'look'
  | 'guide'
  | 'fit';

/** What Run asks for. The photo (and mask) must already be in storage under the ids in the recipe. */
export interface EditRequest {
  readonly recipe: Recipe;
  /** what to keep of every step; default nothing */
  readonly record?: RecordOptions;
}

export interface RecordOptions {
  /** latents: to look at with `decodeFrame`, to branch from with `recipe.from` */
  readonly frames?: boolean;
  /** directions, what steps subtract: to look at with `decodeFrame`; zero, no change, is the decoder's neutral brown */
  readonly directions?: boolean;
}

/** A recorded step as a picture. */
export interface FrameRequest extends FrameRef {
  readonly model: string;
  /** default 'picture' */
  readonly of?: 'picture' | 'direction';
}

export interface DecodedFrame {
  readonly pixels: Pixels;
  /** what a direction was multiplied by to be seen, ≥ 1 and the same for all of an edit; 1 for pictures */
  readonly gain: number;
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
  /** content id of the recorded steps; null: none were asked for */
  readonly frames: BlobId | null;
  /** ms per stage, per-step median etc.; not part of the recipe */
  readonly timings: Readonly<Record<string, number>>;
}

export type EditEvent = JobEvent<EditResult>;

/** Where the words of a recipe's prompts are attended to in its square. */
export interface LookRequest {
  /** its photo, square, prompts, concept, model and seed */
  readonly recipe: Recipe;
  /** noise levels to average over, in [0, T); default ten over the whole range */
  readonly timesteps?: readonly number[];
}

/** A prompt as its model reads it, a concept's words in place, and its words in order. */
export interface PromptAttention {
  readonly text: string;
  readonly words: readonly WordAttention[];
}

export interface LookResult {
  /** by the model without any concept */
  readonly source: PromptAttention;
  /** by the model with the recipe's concept; null without a target prompt */
  readonly target: PromptAttention | null;
}

export type LookEvent = JobEvent<LookResult>;

/** What Learn asks for. Everything that determines the run; pictures must already be in storage. */
export interface LearnRequest {
  /** model id */
  readonly model: string;
  readonly name: string;
  /** see `tokenFor` */
  readonly token: string;
  readonly classWord: string;
  /** 1 to 20 */
  readonly pictures: readonly { readonly id: BlobId; readonly square: Square }[];
  /** row of `learnMethods` of the engine's info, and its options, complete; `steps` as `plannedSteps` gives it */
  readonly method: string;
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly seed: number;
  /** `state` of a checkpoint of the same request; null: from the start */
  readonly resume: BlobId | null;
}

export interface LearnResult {
  readonly learned: LearnedConcept;
  /** as asked; `learned.steps` are fewer when finished early */
  readonly total: number;
  /** ms per stage, per-step median, time that went into samples and checkpoints as a share of the steps' */
  readonly timings: Readonly<Record<string, number>>;
}

/** Learning's own events; metrics of a 'step': loss, gradNorm, applied (0: the step overflowed and was skipped). */
export type LearnEvent =
  | JobEvent<LearnResult>
  /** what the concept looked like after `step` steps, always from the same noise and prompt */
  | { readonly kind: 'sample'; readonly step: number; readonly image: ImageRef; readonly pixels: Pixels }
  /** stored; those in `dropped` (by `state`) were deleted to make room: the latest three and the kept ones stay */
  | {
      readonly kind: 'checkpoint';
      readonly checkpoint: RunCheckpoint;
      /** a sample of it follows: a pause waits for that too */
      readonly sampled: boolean;
      readonly dropped: readonly BlobId[];
    };

/**
 * A job that trains. Pausing is not asking for the next event. Edits asked for meanwhile run between two steps, so a
 * paused job never holds them up. Cancelling ends it within one step, after a last checkpoint.
 */
export interface TrainingPort<E> extends JobPort<E> {
  /** End after the step in progress as if it were the last: a result follows. */
  finish(): Promise<void>;
  /** Write a checkpoint after the step in progress, e.g. before a pause or to try what was learned so far. */
  save(): Promise<void>;
  /** Never drop this checkpoint, by `state`. */
  keep(state: BlobId): Promise<void>;
}

export type LearnPort = TrainingPort<LearnEvent>;
export type FitPort = TrainingPort<FitEvent>;

/** What Fit asks for: a concept and a frame of a photo. The concept stays as it is. */
export interface FitRequest {
  /** model id */
  readonly model: string;
  readonly concept: LearnedConcept;
  readonly photo: { readonly id: BlobId; readonly square: Square };
  readonly sourcePrompt: string;
  readonly targetPrompt: string;
  /** as in a recipe: words of the source prompt, in whose place the concept may stand */
  readonly subject: string | null;
  /** what differs from `fitOptions` of the engine's info for the concept's method */
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly seed: number;
  /** `state` of a checkpoint of the same request; null: from the start */
  readonly resume: BlobId | null;
  /** fits that are stored: the one that this request would make is given back instead of made again */
  readonly known?: readonly FittedConcept[];
}

export interface FitResult {
  readonly fit: FittedConcept;
  /** it was there already: nothing was trained */
  readonly cached: boolean;
  /** of the last quarter of the steps, see `FitEvent`; empty when cached */
  readonly metrics: Readonly<Record<string, number>>;
  /** ms per stage, per-step median, share of the time that went into previews and checkpoints */
  readonly timings: Readonly<Record<string, number>>;
}

/**
 * Fitting's own events. A 'preview' is the photo as the model sees it. Metrics of a 'step', as far as they are part of
 * the fit: delta2 (mean Δ², which should fall), gap (to the plain model on the photo), modeShift (loss on the guided
 * samples), pictures (on the concept's own); gradNorm; applied (0: the step overflowed and was skipped).
 */
export type FitEvent =
  | JobEvent<FitResult>
  /** guided samples after a sampling step: the first of them, after the last step all, in order; stored with the fit */
  | {
      readonly kind: 'guided';
      readonly index: number;
      readonly total: number;
      readonly quality: 'linear' | 'decoded';
      readonly pictures: readonly Pixels[];
      /** how far their layout is from the photo's; null where nothing holds them to it */
      readonly loss: number | null;
    }
  /** stored, with the guided samples; those in `dropped` were deleted: the latest three and the kept ones stay */
  | {
      readonly kind: 'checkpoint';
      readonly step: number;
      readonly state: BlobId;
      readonly dropped: readonly BlobId[];
    };

export interface MethodInfo {
  readonly name: string;
  readonly label: string;
  readonly help: string;
  readonly defaults: Readonly<Record<string, number | string | boolean>>;
  readonly fields: Readonly<Record<string, OptionField>>;
}

export interface EditMethodInfo extends MethodInfo {
  /** complete options by how the concept was learned that is put in; for any other way those of '' */
  readonly withConcept: Readonly<Record<string, MethodInfo['defaults']>>;
  /** whether an edit can go on from a step of another */
  readonly branches: boolean;
}

export interface LearnMethodInfo extends MethodInfo {
  /** complete options of each preset; `defaults` are those of the balanced one */
  readonly presets: Readonly<Record<PresetName, Readonly<Record<string, number>>>>;
}

/** Options of fitting a concept: one form for all methods of learning. */
export interface FitInfo {
  readonly fields: Readonly<Record<string, OptionField>>;
  /** complete options by learning method; for any other method those of '' */
  readonly defaults: Readonly<Record<string, Readonly<Record<string, number | string>>>>;
}

export interface ModelInfo {
  /** 'starter' or an imported model's id */
  readonly id: string;
  readonly label: string;
  /** side in px of the pictures it works on */
  readonly size: number;
  /** 'Stable Diffusion 1'; null: none that has a name */
  readonly family: string | null;
  readonly license: string;
  /** see `tokenFor` */
  readonly rareWord: string;
}

/** What the engine worker exposes (over Comlink; `edit` is a job, see util/rpc.ts). */
export interface EngineInfo {
  readonly capabilities: Capabilities;
  readonly methods: readonly EditMethodInfo[];
  readonly learnMethods: readonly LearnMethodInfo[];
  readonly fitOptions: FitInfo;
  /** the one asked about */
  readonly model: ModelInfo;
}
