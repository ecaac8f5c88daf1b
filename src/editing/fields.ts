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
};
