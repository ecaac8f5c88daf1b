import { stepSchedules } from './step-size';

/** Range or choices of an option and its effect in one line; neither range nor choices: a switch. */
export type EditField = { readonly label: string; readonly help: string } & (
  | { readonly min: number; readonly max: number; readonly step: number }
  | { readonly choices: readonly string[] }
  // biome-ignore lint/complexity/noBannedTypes: nothing beyond label and help
  | {}
);

/** Every option of every method, for the form and the command line; a method has those that its defaults name. */
export const editFields: Readonly<Record<string, EditField>> = {
  steps: { label: 'Steps', help: 'More steps change more and take longer.', min: 1, max: 1000, step: 1 },
  guidanceScale: {
    label: 'Guidance',
    help: 'How strongly the words pull; high values saturate colours.',
    min: 1,
    max: 30,
    step: 0.5,
  },
  guidance: {
    label: 'Guided descriptions',
    help: 'Both, the new one only, or each with a strength of its own.',
    choices: ['both', 'target', 'separate'],
  },
  sourceGuidance: {
    label: 'Guidance of the old description',
    help: 'How strongly what the photo shows is taken away; only with “separate”.',
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
  stepSchedule: {
    label: 'Step size over time',
    help: 'Constant, or smaller towards the end, which settles texture.',
    choices: Object.keys(stepSchedules),
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
  alignment: {
    label: 'Words in common',
    help: 'Replace word by word, refine around added words, or whichever fits the descriptions.',
    choices: ['auto', 'replace', 'refine'],
  },
  crossReplace: {
    label: 'Keep layout',
    help: 'Share of steps in which words look where they did; more keeps positions and shapes.',
    min: 0,
    max: 1,
    step: 0.05,
  },
  selfReplace: {
    label: 'Keep structure',
    help: 'Share of steps in which places belong together as they did; more keeps outlines.',
    min: 0,
    max: 1,
    step: 0.05,
  },
  subjectWeight: {
    label: 'Weight of the new words',
    help: 'Above 1 shows them more, below 1 less.',
    min: 0,
    max: 10,
    step: 0.1,
  },
  localBlend: {
    label: 'Keep surroundings',
    help: 'Everything away from the words that change stays as it was.',
  },
  blendThreshold: {
    label: 'Outline threshold',
    help: 'Higher keeps more of the surroundings.',
    min: 0,
    max: 1,
    step: 0.05,
  },
  blendStart: {
    label: 'Outline begins',
    help: 'Share of steps that may change everything before the outline applies.',
    min: 0,
    max: 1,
    step: 0.05,
  },
  blendFrom: {
    label: 'Outline of',
    help: 'Where the old words were, or also where the new ones come to be.',
    choices: ['both', 'source'],
  },
  nullSteps: {
    label: 'Retracing steps',
    help: 'Most corrections per step so that the photo itself comes out again; 0 for none.',
    min: 0,
    max: 100,
    step: 1,
  },
  nullRate: {
    label: 'Retracing rate',
    help: 'How far each correction goes.',
    min: 0.0001,
    max: 1,
    step: 0.0001,
  },
  nullTolerance: {
    label: 'Retracing error',
    help: 'Corrections end early below this.',
    min: 0,
    max: 0.1,
    step: 0.000001,
  },
  nullWarmStart: {
    label: 'Retrace from the step before',
    help: 'Go on from the previous step’s correction; else each starts over.',
  },
};
