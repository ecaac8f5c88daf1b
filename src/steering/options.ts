/** What steering can be told: defaults, ranges and effects of every option. The form and the command line come from here. */
import { AppError } from '../util/errors';
import { type OptionField, readOptions } from '../util/options';

/** Everything but pictures, prompts and seed that decides a fit. */
export interface SteerOptions {
  readonly [name: string]: number | string;
  /** guided samples made before training starts (METHOD.md 3.4) */
  readonly samples: number;
  /**
   * how they are made: from the inverted photo with spatial guidance (METHOD.md 3.5); from the inverted photo without; or
   * from fresh noise, i.e. plain DDIM
   */
  readonly sampling: 'guided' | 'inverted' | 'noise';
  /** DDIM steps of inversion and of sampling */
  readonly ddimSteps: number;
  /** classifier-free guidance weight of sampling */
  readonly samplingGuidance: number;
  /** κ: length of the correction relative to the predicted noise (E9) */
  readonly strength: number;
  /** what the spatial gradient corrects: the predicted noise (E9), or x_{t-1} by κ·σ_t·‖ε̂‖ (METHOD.md A7) */
  readonly correction: 'noise' | 'latent';
  /** share of the steps, counted from pure noise, between which the correction is on */
  readonly guideFrom: number;
  readonly guideTo: number;
  /** source features: of the inverted latent at the level of t, or as inversion itself saw them (METHOD.md A9) */
  readonly features: 'level' | 'inversion';
  /** decoder sites whose features are compared: all, or those of lowest or highest resolution (METHOD.md A8) */
  readonly layers: 'all' | 'coarse' | 'fine';
  /** places compared per site (E8) */
  readonly patches: number;
  /** DDIM's noise: 0 none, 1 as DDPM; the source of variety beside the places drawn (METHOD.md A6) */
  readonly eta: number;
  /** around the subject, guided samples are: as they come, or (ours) the inverted photo, level by level */
  readonly background: 'free' | 'photo';
  /** weight of the EDSD loss; 0: mode shifting alone */
  readonly edsd: number;
  /**
   * where EDSD compares: everywhere, as the paper has it, or (ours) but where the photo's subject is, and then, if the concept
   * is of another class, with what the frozen model says of that class there
   */
  readonly region: 'all' | 'surroundings';
  /** of 'surroundings': share of the strongest attention from which a place is the subject's altogether (ours) */
  readonly subjectFrom: number;
  /** of 'surroundings': weight with which the subject is held to the concept as learned (ours); 0: it is left free */
  readonly anchor: number;
  /** the one-step edit x̂_t: E3a, E3b, E3c, or x_t itself (METHOD.md A1) */
  readonly oneStep: 'dds' | 'sds' | 'ddim' | 'none';
  /** γ, size of the one-step edit; for 'ddim' the share of T that its step spans */
  readonly gamma: number;
  /** what stands for the Jacobian of the second call: −I (E5), +I, or itself */
  readonly jacobian: 'minus' | 'plus' | 'true';
  /** classifier-free guidance weight of all three calls of EDSD (METHOD.md A2) */
  readonly edsdGuidance: number;
  /** timesteps of EDSD are drawn from [tMin, tMax) */
  readonly tMin: number;
  readonly tMax: number;
  /** w(t): 1 or 1 − ᾱ_t */
  readonly timeWeight: 'one' | 'variance';
  /** λ_MS, weight of mode shifting; 0: EDSD alone, and no samples are made */
  readonly modeShift: number;
  /**
   * what mode shifting asks for at the noised samples: the noise (E6), or (ours) what the concept as learned predicts,
   * with `region` 'surroundings' where the subject is
   */
  readonly shiftTo: 'noise' | 'learned';
  /** guided samples per step */
  readonly guidedBatch: number;
  /**
   * weight of learning on from the concept's own pictures, where they show it (METHOD.md A14); they then stand in for
   * `anchor` and `modeShift`. 0: they are not looked at
   */
  readonly references: number;
  /** of these per step */
  readonly referenceBatch: number;
  /** steps after which guided samples are made again, by the concept as fitted by then (METHOD.md A13); 0: never */
  readonly refreshEvery: number;
  readonly steps: number;
  readonly learningRate: number;
  /** share of the steps, at their end, over which the rate falls in a straight line towards 0 (ours) */
  readonly coolDown: number;
  /** AdamW's decoupled decay */
  readonly weightDecay: number;
  /** 0: what the concept learned trains on; else that stays and a low-rank update on top of it trains (METHOD.md A3) */
  readonly loraRank: number;
}

/** METHOD.md 3.9; learning rates by method are in `RATES`. */
const defaults: SteerOptions = {
  samples: 4,
  sampling: 'guided',
  ddimSteps: 50,
  samplingGuidance: 7.5,
  strength: 0.2,
  correction: 'noise',
  guideFrom: 0,
  guideTo: 1,
  features: 'level',
  layers: 'all',
  patches: 256,
  eta: 0.1,
  background: 'free',
  edsd: 1,
  region: 'all',
  subjectFrom: 1,
  anchor: 0,
  oneStep: 'dds',
  gamma: 0.1,
  jacobian: 'minus',
  edsdGuidance: 1,
  tMin: 50,
  tMax: 949,
  timeWeight: 'one',
  modeShift: 1,
  shiftTo: 'noise',
  guidedBatch: 1,
  references: 0,
  referenceBatch: 2,
  refreshEvery: 0,
  steps: 40,
  learningRate: 1e-4,
  coolDown: 0,
  weightDecay: 1e-2,
  loraRank: 0,
};

/** The rate at which each method's baseline learns. METHOD.md 3.9 */
const RATES: Readonly<Record<string, number>> = {
  'textual-inversion': 5e-4,
  'dreambooth-lora': 1e-4,
  'custom-diffusion': 1e-5,
  dreambooth: 1e-6,
};

/** Options that suit a model: under 'all' for every method, under a method's name for that one. */
export type SteerOverrides = Readonly<Record<string, Readonly<Record<string, number | string>>>>;

/** Complete defaults for concepts learned by a method. */
export const steerDefaults = (method: string, overrides: SteerOverrides = {}): SteerOptions =>
  ({
    ...defaults,
    ...(RATES[method] && { learningRate: RATES[method] }),
    ...overrides.all,
    ...overrides[method],
    // spreading an index signature loses the names that `defaults` has
  }) as SteerOptions;

const number = (label: string, help: string, min: number, max: number, step: number): OptionField => ({
  label,
  help,
  min,
  max,
  step,
});
const choice = (label: string, help: string, ...choices: string[]): OptionField => ({ label, help, choices });

/** Range and effect of each option. */
export const steerFields: Readonly<Record<string, OptionField>> = {
  steps: number('Steps', 'More steps follow the photo further and take longer.', 1, 1000, 1),
  learningRate: number('Learning rate', 'How far each step moves the concept.', 1e-8, 0.1, 1e-8),
  coolDown: number(
    'Cool down',
    'Share of the steps over which fitting slows to a stop; steadier at the end.',
    0,
    1,
    0.05,
  ),
  edsd: number(
    'Weight of the photo',
    'How far the concept has to agree with the plain model on it; 0 switches it off.',
    0,
    10,
    0.1,
  ),
  region: choice(
    'Agree where',
    'all is the method; surroundings leaves the subject to the samples.',
    'all',
    'surroundings',
  ),
  subjectFrom: number(
    'Subject from',
    'Attention from which a place counts as the subject altogether; less makes it larger.',
    0.05,
    1,
    0.05,
  ),
  anchor: number(
    'Hold the look',
    'How far the subject is held to the concept as learned, where only the surroundings agree.',
    0,
    10,
    0.1,
  ),
  modeShift: number('Weight of the samples', 'How far they hold the look; 0 switches them off.', 0, 10, 0.05),
  shiftTo: choice(
    'Samples teach',
    'noise is the method; learned keeps what the concept predicts at them.',
    'noise',
    'learned',
  ),
  samples: number('Guided samples', 'Pictures of the concept in the photo’s layout, made first.', 1, 16, 1),
  sampling: choice(
    'Samples',
    'guided follow the photo’s layout, inverted start from it, noise ignore it.',
    'guided',
    'inverted',
    'noise',
  ),
  ddimSteps: number('Sampling steps', 'More steps follow photo and concept more closely.', 2, 200, 1),
  samplingGuidance: number('Sample guidance', 'How strongly the words pull in the samples.', 1, 30, 0.5),
  strength: number('Layout strength', 'How strongly samples are held to the photo’s layout.', 0, 5, 0.01),
  correction: choice(
    'Corrects',
    'What the layout gradient changes: predicted noise, or the latent itself.',
    'noise',
    'latent',
  ),
  guideFrom: number('Layout from', 'Share of sampling after which layout starts to be held.', 0, 1, 0.05),
  guideTo: number('Layout until', 'Share of sampling after which layout is let go.', 0, 1, 0.05),
  features: choice(
    'Layout features',
    'Taken from the noised photo at the same level, or as inversion saw it.',
    'level',
    'inversion',
  ),
  layers: choice('Layout layers', 'Which resolutions of the model are compared.', 'all', 'coarse', 'fine'),
  patches: number('Layout places', 'Places compared per layer; fewer give more variety.', 2, 1024, 1),
  eta: number('Sample noise', 'Fresh noise while sampling: more variety, looser layout.', 0, 1, 0.05),
  background: choice(
    'Sample background',
    'free is the method; photo keeps the photo’s own around the subject.',
    'free',
    'photo',
  ),
  oneStep: choice(
    'One-step edit',
    'Form of the small edit that the concept is judged on.',
    'dds',
    'sds',
    'ddim',
    'none',
  ),
  gamma: number('Edit size', 'Size of that small edit.', 0, 2, 0.01),
  jacobian: choice(
    'Jacobian',
    'minus is the method; plus and true are for comparison and do harm.',
    'minus',
    'plus',
    'true',
  ),
  edsdGuidance: number(
    'Fit guidance',
    'Guidance while comparing with the plain model; 1 is none.',
    1,
    30,
    0.5,
  ),
  tMin: number('Lowest noise', 'Smallest timestep compared.', 0, 998, 1),
  tMax: number('Highest noise', 'Timesteps stay below this.', 1, 1000, 1),
  timeWeight: choice('Noise weighting', 'Whether high noise counts more.', 'one', 'variance'),
  guidedBatch: number('Samples per step', 'More are steadier and slower.', 1, 8, 1),
  references: number(
    'Weight of its pictures',
    'Learns on from the concept’s own pictures, which hold its look instead; 0 switches it off.',
    0,
    10,
    0.05,
  ),
  referenceBatch: number('Pictures per step', 'More are steadier and slower.', 1, 8, 1),
  refreshEvery: number(
    'Renew samples',
    'Steps after which samples are made again by the concept as fitted by then; 0 keeps the first.',
    0,
    1000,
    1,
  ),
  weightDecay: number('Weight decay', 'Pulls what trains towards zero.', 0, 1, 0.001),
  loraRank: number(
    'Update on top',
    'Rank of a separate low-rank update; 0 trains the concept’s own weights.',
    0,
    64,
    1,
  ),
};

/**
 * Given options → complete and in range.
 *
 * @throws AppError BAD_REQUEST naming the option that is unknown, of another type or out of range
 */
export function checkSteerOptions(
  given: Readonly<Record<string, unknown>>,
  complete: SteerOptions,
): SteerOptions {
  const checked = readOptions(given, complete, steerFields);
  if (checked.tMin >= checked.tMax) throw new AppError('BAD_REQUEST', 'tMin must be below tMax');
  if (checked.edsd === 0 && checked.modeShift === 0) {
    throw new AppError('BAD_REQUEST', 'with edsd and modeShift both 0 there is nothing to fit');
  }
  return checked;
}

/**
 * Options as a fit uses them: the concept's own pictures hold its look where they are learned from; the concept as it was
 * learned, and samples of it, where they are not or there are none, as of an imported concept.
 *
 * @param pictures  how many there are
 */
export const heldBy = (options: SteerOptions, pictures: number): SteerOptions =>
  options.references > 0 && pictures > 0
    ? { ...options, anchor: 0, modeShift: 0 }
    : { ...options, references: 0 };
