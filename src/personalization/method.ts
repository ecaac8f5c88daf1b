import { withArticle } from '../util/article';
import { type OptionField, readOptions } from '../util/options';

/** Options of every method; a method without a part of it has 0 there. */
export interface LearnOptions {
  readonly [name: string]: number;
  readonly steps: number;
  readonly learningRate: number;
  /** pictures per step; with prior preservation as many of the class come on top */
  readonly batch: number;
  /** share of the steps, the last ones, over which the rate falls to nothing; 0: it stays */
  readonly coolDown: number;
  /**
   * 1: every noise level counts alike (see `levelWeight`), and the pictures of a step are spread over them; 0: as the
   * references have it, the middle most
   */
  readonly evenLevels: number;
  /** 1: the loss counts where the model sees the class word, as softly as it does; 0: everywhere alike */
  readonly subjectOnly: number;
  /** 1: prompts and views as the method's reference varies them; 0: one plain prompt, pictures as they are or mirrored */
  readonly varied: number;
  /** AdamW's decoupled decay */
  readonly weightDecay: number;
  /** learned token rows; 0: the token is an ordinary word */
  readonly vectors: number;
  /** LoRA: inner width, and the update's weight alpha/rank */
  readonly rank: number;
  readonly alpha: number;
  /** generated pictures of the class that keep it in place; 0: none */
  readonly priorPictures: number;
  readonly priorWeight: number;
  /** 1: the text encoder's weights train too */
  readonly textEncoder: number;
}

/** What a method trains and shows. One file each, one row in methods.ts. */
export interface PersonalizationMethod {
  readonly label: string;
  /** one line in plain words */
  readonly help: string;
  readonly defaults: LearnOptions;
  /** what a run for a first look, and one for the best likeness, changes of the defaults */
  readonly presets: {
    readonly quick: Readonly<Record<string, number>>;
    readonly best: Readonly<Record<string, number>>;
  };
  /** training prompts; {} is the subject */
  readonly templates: readonly string[];
  /** words that stand for the subject in a prompt */
  readonly subject: (token: string, classWord: string) => string;
  /** how learned rows start: from the class word, or from a word that hardly occurs */
  readonly rowsStart: 'class' | 'rare';
  /** weights that are replaced: UNet and, with `textEncoder`, text encoder; null: none */
  readonly unet: RegExp | null;
  readonly text: RegExp | null;
  /** UNet weights that get a low-rank update instead */
  readonly lora: RegExp | null;
  /** 'flip': also mirrored; 'scale': pasted smaller with a valid region, or larger and cropped */
  readonly augmentation: 'none' | 'flip' | 'scale';
  /** no gradient through keys and values of the first token (start of text) in cross-attention */
  readonly detachFirstToken: boolean;
  /** whose reading of the empty prompt edits are guided from: its own, or the frozen model's, where training lets it drift */
  readonly emptyPrompt: 'own' | 'frozen';
}

/**
 * Complete options of every preset, the defaults being the balanced one.
 *
 * @param overrides  by preset name, what suits a model better
 */
export function presetsOf(
  { defaults, presets }: PersonalizationMethod,
  overrides: Readonly<Record<string, Readonly<Record<string, number>>>> = {},
): Record<'quick' | 'balanced' | 'best', LearnOptions> {
  const balanced = { ...defaults, ...overrides.balanced };
  return {
    quick: { ...balanced, ...presets.quick, ...overrides.quick },
    balanced,
    best: { ...balanced, ...presets.best, ...overrides.best },
  };
}

/** Range and effect of each option, for the form and the command line. */
export const learnFields: Readonly<Record<keyof LearnOptions & string, OptionField>> = {
  steps: { label: 'Steps', help: 'More steps learn more and take longer.', min: 1, max: 20_000, step: 1 },
  learningRate: {
    label: 'Learning rate',
    help: 'How far each step moves; too high forgets everything else.',
    min: 1e-7,
    max: 0.1,
    step: 1e-7,
  },
  coolDown: {
    label: 'Cool down',
    help: 'Share of the steps over which learning slows to a stop; steadier at the end.',
    min: 0,
    max: 1,
    step: 0.05,
  },
  evenLevels: {
    label: 'Even out noise levels',
    help: '1 teaches large shapes as much as detail; small models need it.',
    min: 0,
    max: 1,
    step: 1,
  },
  subjectOnly: {
    label: 'Look at the subject only',
    help: '1 learns from where the model sees the subject, not from what is around it.',
    min: 0,
    max: 1,
    step: 1,
  },
  varied: {
    label: 'Vary prompts and views',
    help: '1 says and shows it in many ways; 0 is plainer, for models that know few words.',
    min: 0,
    max: 1,
    step: 1,
  },
  batch: { label: 'Pictures per step', help: 'More are steadier and slower.', min: 1, max: 16, step: 1 },
  weightDecay: {
    label: 'Weight decay',
    help: 'Pulls what is learned towards zero.',
    min: 0,
    max: 1,
    step: 0.001,
  },
  vectors: {
    label: 'Token vectors',
    help: 'More hold more detail and use more of the prompt.',
    min: 0,
    max: 16,
    step: 1,
  },
  rank: {
    label: 'Rank',
    help: 'Width of the learned update: larger holds more and makes larger files.',
    min: 0,
    max: 128,
    step: 1,
  },
  alpha: {
    label: 'Alpha',
    help: 'Strength of the update relative to its rank.',
    min: 0,
    max: 256,
    step: 0.5,
  },
  priorPictures: {
    label: 'Pictures of the class',
    help: 'Made before training so that the class itself stays as it was; 0 for none.',
    min: 0,
    max: 1000,
    step: 1,
  },
  priorWeight: {
    label: 'Weight of the class',
    help: 'How much those pictures count.',
    min: 0,
    max: 10,
    step: 0.1,
  },
  textEncoder: {
    label: 'Train the text encoder',
    help: '1 also trains how words are read.',
    min: 0,
    max: 1,
    step: 1,
  },
};

/** What a picture of the subject is called when nothing else is said. */
export const PLAIN_TEMPLATE = 'a photo of a {}';

/** Training prompts of a run. */
export const templatesOf = (
  { templates }: PersonalizationMethod,
  { varied }: Pick<LearnOptions, 'varied'>,
): readonly string[] => (varied === 1 ? templates : [PLAIN_TEMPLATE]);

/** A template with its words in place: 'a photo of a {}', 'elephant' → 'a photo of an elephant'. */
export const fillTemplate = (template: string, words: string): string =>
  template.replace(/(\ban? )?\{\}/gi, (_, article) => (article ? withArticle(words) : words));

/**
 * Learning rate of step 0, 1, …
 *
 * @returns the rate, and over the last `coolDown` of the steps a straight line from it towards 0
 */
export const rateOf =
  ({ learningRate, steps, coolDown }: Pick<LearnOptions, 'learningRate' | 'steps' | 'coolDown'>) =>
  (step: number): number =>
    coolDown > 0 ? learningRate * Math.min(1, (steps - step) / (steps * coolDown)) : learningRate;

/**
 * Given options → complete and in range.
 *
 * @throws AppError BAD_REQUEST naming the option that is unknown or out of range
 */
export function checkLearnOptions(
  given: Readonly<Record<string, unknown>>,
  defaults: LearnOptions,
): LearnOptions {
  return readOptions(given, defaults, learnFields);
}

/** Defaults that most methods share: PyTorch's AdamW decay, one picture per step, a rate that stays. */
export const commonOptions = {
  batch: 1,
  coolDown: 0,
  evenLevels: 0,
  subjectOnly: 0,
  varied: 1,
  weightDecay: 1e-2,
  vectors: 0,
  rank: 0,
  alpha: 0,
  priorPictures: 0,
  priorWeight: 1,
  textEncoder: 0,
} as const;
