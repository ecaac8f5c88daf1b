import { AppError } from '../util/errors';
import type { ScheduleConfig } from './schedule';

/** Classes whose default spacing is not 'leading'. */
const linspaceClasses = /Euler|DPMSolver|Heun|LMS|UniPC|DEIS|KDPM2|SASolver/;

/**
 * Read scheduler_config.json as diffusers would: a missing key means the default of the class that wrote the file,
 * which is not Stable Diffusion's value. Keys that describe pixel models (`clip_sample`, `thresholding`) are
 * ignored: latents are never clipped.
 *
 * @throws AppError UNSUPPORTED_MODEL naming the key whose value we cannot honour
 * @see FORMATS.md 2.1
 */
export function parseSchedulerConfig(json: unknown): ScheduleConfig {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new AppError('BAD_FILE', 'scheduler_config.json is not a JSON object');
  }
  const fields = json as Record<string, unknown>;
  const className = typeof fields._class_name === 'string' ? fields._class_name : '';
  if (className.includes('FlowMatch')) throw unsupported('_class_name', className);
  // LCM's class alone has Stable Diffusion's betas for defaults
  const isLcm = className.startsWith('LCM');

  return {
    numTrainTimesteps: integer(fields, 'num_train_timesteps', 1000, 2, 100_000),
    betaStart: fraction(fields, 'beta_start', isLcm ? 0.00085 : 0.0001),
    betaEnd: fraction(fields, 'beta_end', isLcm ? 0.012 : 0.02),
    betaSchedule: oneOf(
      fields,
      'beta_schedule',
      ['linear', 'scaled_linear', 'squaredcos_cap_v2'],
      isLcm ? 'scaled_linear' : 'linear',
    ),
    trainedBetas: trainedBetas(fields),
    rescaleBetasZeroSnr: boolean(fields, 'rescale_betas_zero_snr', false),
    predictionType: oneOf(fields, 'prediction_type', ['epsilon', 'v_prediction', 'sample'], 'epsilon'),
    timestepSpacing: oneOf(
      fields,
      'timestep_spacing',
      ['leading', 'trailing', 'linspace'],
      linspaceClasses.test(className) ? 'linspace' : 'leading',
    ),
    stepsOffset: integer(fields, 'steps_offset', 0, 0, 1000),
    setAlphaToOne: boolean(fields, 'set_alpha_to_one', !className.startsWith('PNDM')),
    useKarrasSigmas: boolean(fields, 'use_karras_sigmas', false),
  };
}

type Fields = Readonly<Record<string, unknown>>;

const unsupported = (key: string, value: unknown) =>
  new AppError(
    'UNSUPPORTED_MODEL',
    `scheduler_config.json: ${key} = ${JSON.stringify(value)} is not supported`,
    {
      key,
      value,
    },
  );

/** null counts as missing, as in diffusers' files. */
function read<T>(fields: Fields, key: string, fallback: T, accept: (value: unknown) => value is T): T {
  const value = fields[key] ?? fallback;
  if (!accept(value)) throw unsupported(key, value);
  return value;
}

const integer = (fields: Fields, key: string, fallback: number, min: number, max: number): number =>
  read(
    fields,
    key,
    fallback,
    (v): v is number => Number.isInteger(v) && Number(v) >= min && Number(v) <= max,
  );

const fraction = (fields: Fields, key: string, fallback: number): number =>
  read(fields, key, fallback, (v): v is number => typeof v === 'number' && v > 0 && v < 1);

const boolean = (fields: Fields, key: string, fallback: boolean): boolean =>
  read(fields, key, fallback, (v): v is boolean => typeof v === 'boolean');

const oneOf = <T extends string>(fields: Fields, key: string, names: readonly T[], fallback: T): T =>
  read(fields, key, fallback, (v): v is T => names.includes(v as T));

function trainedBetas(fields: Fields): readonly number[] | null {
  const betas = fields.trained_betas ?? null;
  if (betas === null) return null;
  const valid = Array.isArray(betas) && betas.every((b) => typeof b === 'number' && b >= 0 && b < 1);
  if (!valid || betas.length !== (fields.num_train_timesteps ?? 1000))
    throw unsupported('trained_betas', '…');
  return betas;
}
