/** How a score-distillation edit picks the direction it subtracts. One row per method; forms and flags come from here. */
export interface EditMethod {
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
  readonly defaults: EditOptions;
}

/** Options of every score-distillation edit. */
export interface EditOptions {
  readonly [name: string]: number;
  /** gradient steps */
  readonly steps: number;
  /** classifier-free guidance weight of both branches; 1 switches it off */
  readonly guidanceScale: number;
  /** multiplies the direction at each step, in latent units per predicted-noise unit */
  readonly stepSize: number;
  /** timesteps are drawn uniformly from [tMin, tMax) */
  readonly tMin: number;
  readonly tMax: number;
  /** network calls spent on the subject mask before the first step */
  readonly maskSteps: number;
  /** exponent on the soft mask: above 1 confines the edit more tightly */
  readonly maskPower: number;
}

/**
 * The DDS notebook's settings: 200 SGD steps of rate 0.1 on 2000·Σ(z·g)/(64·64), i.e. 0.0488·g; guidance 7.5;
 * t ~ U{50..948}; w(t) = 1 (METHOD.md 7.1). The mask rows are ours (METHOD.md 3.6, A10).
 */
const dds: EditOptions = {
  steps: 200,
  guidanceScale: 7.5,
  stepSize: 0.0488,
  tMin: 50,
  tMax: 949,
  maskSteps: 10,
  maskPower: 1,
};

export const editMethods: Readonly<Record<string, EditMethod>> = {
  'dds-sm': {
    label: 'Swap the subject (DDS-SM)',
    help: 'Changes only the subject; its outline is found by the model itself.',
    reference: 'frozen',
    subjectMask: true,
    defaults: dds,
  },
  'dds-s': {
    label: 'Swap, whole square (DDS-S)',
    help: 'As above without the automatic outline: the surroundings may drift.',
    reference: 'frozen',
    subjectMask: false,
    defaults: dds,
  },
  dds: {
    label: 'Delta denoising (DDS)',
    help: 'Both branches use the edited model; for comparison.',
    reference: 'personalised',
    subjectMask: false,
    defaults: dds,
  },
  sds: {
    label: 'Score distillation (SDS)',
    help: 'Follows the new description alone; loses the photo’s layout. For comparison.',
    reference: 'noise',
    subjectMask: false,
    defaults: dds,
  },
};

/** Range and effect of each option, for the form and the command line. */
export const editFields: Readonly<
  Record<string, { label: string; help: string; min: number; max: number; step: number }>
> = {
  steps: { label: 'Steps', help: 'More steps change more and take longer.', min: 1, max: 1000, step: 1 },
  guidanceScale: {
    label: 'Guidance',
    help: 'How strongly the words pull; high values saturate colours.',
    min: 1,
    max: 30,
    step: 0.5,
  },
  stepSize: {
    label: 'Step size',
    help: 'How far each step moves the picture.',
    min: 0.001,
    max: 1,
    step: 0.001,
  },
  tMin: {
    label: 'Lowest noise',
    help: 'Smallest timestep drawn; low values refine texture.',
    min: 0,
    max: 998,
    step: 1,
  },
  tMax: {
    label: 'Highest noise',
    help: 'Timesteps stay below this; high values change shape.',
    min: 1,
    max: 1000,
    step: 1,
  },
  maskSteps: {
    label: 'Outline samples',
    help: 'Looks taken at the photo to find the subject before editing starts.',
    min: 0,
    max: 100,
    step: 1,
  },
  maskPower: {
    label: 'Outline tightness',
    help: 'Above 1 keeps more of the surroundings, below 1 lets the edit spread.',
    min: 0.25,
    max: 4,
    step: 0.25,
  },
};
