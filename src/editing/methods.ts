import type { StepSchedule } from './step-size';

/** Which branches of a difference get classifier-free guidance, and how much. */
export type BranchGuidance = 'both' | 'target' | 'separate';

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

export type EditMethod = ScoreMethod;

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
  stepSize: 0.0488,
  stepSchedule: 'constant',
  tMin: 50,
  tMax: 949,
  maskSteps: 10,
  maskPower: 1,
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

/** How an edit is made. One row per method; forms and flags come from here. */
export const editMethods: Readonly<Record<string, EditMethod>> = { ...scoreMethods };
