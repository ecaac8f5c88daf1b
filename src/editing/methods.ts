import type { StepSchedule } from './step-size';

/** Which branches of a difference get classifier-free guidance, and how much. */
export type BranchGuidance = 'both' | 'target' | 'separate';

/** Whose reading of the empty prompt the target branch is guided from: the model's that carries the concept, or the frozen model's. */
export type EmptyPrompt = 'own' | 'frozen';

/** A method that subtracts a difference of predictions from the latent, step by step. */
export interface ScoreMethod {
  readonly kind: 'score';
  readonly label: string;
  /** one line in plain words */
  readonly help: string;
  /**
   * What is subtracted from the target branch: the drawn noise (SDS, B3), the personalised model on the source (DDS,
   * B4) or the frozen model on the source (DDS-S, E1).
   */
  readonly reference: 'noise' | 'personalised' | 'frozen';
  /** confine the edit to the subject by its cross-attention (DDS-SM, E10) */
  readonly subjectMask: boolean;
  readonly defaults: ScoreOptions;
}

/** A method that samples the picture anew from its inverted noise, under the attention of the original. */
export interface AttentionMethod {
  readonly kind: 'attention';
  readonly label: string;
  readonly help: string;
  /** the source's chain and the target's are of one model */
  readonly reference: 'personalised';
  readonly defaults: AttentionOptions;
}

export type EditMethod = ScoreMethod | AttentionMethod;

/** What every row's options have in common. */
export interface EditOptions {
  readonly [name: string]: number | string | boolean;
  readonly steps: number;
}

/** Options of every score-distillation edit. */
export interface ScoreOptions extends EditOptions {
  /** gradient steps */
  readonly steps: number;
  /** classifier-free guidance weight; 1 switches it off */
  readonly guidanceScale: number;
  /** 'both': that weight in both branches; 'target': none for the source; 'separate': `sourceGuidance` for the source */
  readonly guidance: BranchGuidance;
  readonly sourceGuidance: number;
  /** 'auto': as suits how the concept was learned */
  readonly emptyPrompt: EmptyPrompt | 'auto';
  /** multiplies the direction at each step, in latent units per predicted-noise unit */
  readonly stepSize: number;
  readonly stepSchedule: StepSchedule;
  /** timesteps are drawn uniformly from [tMin, tMax) */
  readonly tMin: number;
  readonly tMax: number;
  /** network calls spent on the subject mask before the first step */
  readonly maskSteps: number;
  /** exponent on the soft mask: above 1 confines the edit more tightly */
  readonly maskPower: number;
  /**
   * where the subject is: in the photo, as the paper has it, or (ours) also where the result so far attends to the words
   * that take its place, so that a new shape has room
   */
  readonly maskFrom: 'source' | 'both';
}

/** Options of Prompt-to-Prompt edits. */
export interface AttentionOptions extends EditOptions {
  /** DDIM steps, down and up again */
  readonly steps: number;
  readonly guidanceScale: number;
  /** 'replace' word by word, 'refine' token by token; 'auto': replace where the descriptions have equally many words */
  readonly alignment: 'auto' | 'replace' | 'refine';
  /** share of steps during which the target takes the source's cross-attention and self-attention, in [0,1] */
  readonly crossReplace: number;
  readonly selfReplace: number;
  /** factor on the attention to what is new (reweighting) */
  readonly subjectWeight: number;
  /** confine the edit to the words that change, by their attention */
  readonly localBlend: boolean;
  readonly blendThreshold: number;
  /** share of steps before the mask applies, in [0,1] */
  readonly blendStart: number;
  readonly blendFrom: 'both' | 'source';
  /**
   * how the photo itself comes out again: guided from empty prompts that were corrected for it (null-text inversion), or as
   * it was on the way to noise (direct inversion), which leaves its edit to be guided from any empty prompt
   */
  readonly retrace: 'null-text' | 'direct';
  /** of direct inversion; corrected empty prompts are those of the concept's own model. 'auto': as suits how the concept was learned */
  readonly emptyPrompt: EmptyPrompt | 'auto';
  /** null-text inversion: Adam steps per sampling step at most (0: none), learning rate, error to stop at */
  readonly nullSteps: number;
  readonly nullRate: number;
  readonly nullTolerance: number;
  readonly nullWarmStart: boolean;
}

/**
 * The DDS notebook's settings: 200 SGD steps of rate 0.1 on 2000·Σ(z·g)/(64·64), i.e. 0.0488·g; guidance 7.5 in both
 * branches; t ~ U{50..948}; w(t) = 1 (METHOD.md 7.1). The mask rows are ours (METHOD.md 3.6, A10).
 */
const dds: ScoreOptions = {
  steps: 200,
  guidanceScale: 7.5,
  guidance: 'both',
  sourceGuidance: 7.5,
  emptyPrompt: 'auto',
  stepSize: 0.0488,
  stepSchedule: 'constant',
  tMin: 50,
  tMax: 949,
  maskSteps: 10,
  maskPower: 1,
  maskFrom: 'source',
};

export const scoreMethods = {
  'dds-sm': {
    kind: 'score',
    label: 'Swap the subject (DDS-SM)',
    help: 'Changes only the subject; its outline is found by the model itself.',
    reference: 'frozen',
    subjectMask: true,
    defaults: dds,
  },
  'dds-s': {
    kind: 'score',
    label: 'Swap, whole square (DDS-S)',
    help: 'As above without the automatic outline: the surroundings may drift.',
    reference: 'frozen',
    subjectMask: false,
    defaults: dds,
  },
  dds: {
    kind: 'score',
    label: 'Delta denoising (DDS)',
    help: 'Both branches use the edited model; for comparison.',
    reference: 'personalised',
    subjectMask: false,
    defaults: dds,
  },
  sds: {
    kind: 'score',
    label: 'Score distillation (SDS)',
    help: 'Follows the new description alone; loses the photo’s layout. For comparison.',
    reference: 'noise',
    subjectMask: false,
    defaults: dds,
  },
} as const satisfies Readonly<Record<string, ScoreMethod>>;

/** The PnPInversion port of the Google code (METHOD.md 7.8). */
const p2p: AttentionOptions = {
  steps: 50,
  guidanceScale: 7.5,
  alignment: 'auto',
  crossReplace: 0.4,
  selfReplace: 0.6,
  subjectWeight: 1,
  localBlend: true,
  blendThreshold: 0.3,
  blendStart: 0.2,
  blendFrom: 'both',
  retrace: 'null-text',
  emptyPrompt: 'auto',
  nullSteps: 10,
  nullRate: 1e-2,
  nullTolerance: 1e-5,
  nullWarmStart: true,
};

export const attentionMethods = {
  p2p: {
    kind: 'attention',
    label: 'Share attention (Prompt-to-Prompt)',
    help: 'Paints the photo anew with the layout that it had; needs a longer start.',
    reference: 'personalised',
    defaults: p2p,
  },
  'custom-edit': {
    kind: 'attention',
    label: 'Share attention, new words added (Custom-Edit)',
    help: 'As above for learned things: only words in common keep their place, within the old outline.',
    reference: 'personalised',
    // strengths of 0.4 to 0.6 are called good, mask from the source alone (METHOD.md 7.9)
    defaults: { ...p2p, alignment: 'refine', selfReplace: 0.5, blendFrom: 'source' },
  },
} as const satisfies Readonly<Record<string, AttentionMethod>>;

/** How an edit is made. One row per method; forms and flags come from here. */
export const editMethods: Readonly<Record<string, EditMethod>> = {
  ...scoreMethods,
  ...attentionMethods,
};
