import { editMethods } from '../../src/editing/methods';
import { checkOptions, defaultsOf, type EditOverrides } from '../../src/editing/options';
import type { LearningOverrides } from '../../src/engine/load-model';
import { checkLearnOptions, type LearnOptions } from '../../src/personalization/method';
import { personalizationMethods } from '../../src/personalization/methods';
import {
  checkSteerOptions,
  type SteerOptions,
  type SteerOverrides,
  steerDefaults,
} from '../../src/steering/options';
import { AppError } from '../../src/util/errors';
import { METHODS, type Method, type Settings, type Variant } from './variants';

const SCOPES = ['learn', 'steer', 'edit'] as const;

/** An option set on the command line, for one method or for all. */
export interface Override {
  readonly scope: (typeof SCOPES)[number];
  readonly method: Method | null;
  readonly name: string;
  readonly value: Settings[string];
}

/** An option to be tried at several values. */
export interface Sweep extends Omit<Override, 'value'> {
  /** as it was written, without the values */
  readonly path: string;
  readonly values: readonly Override['value'][];
}

/** What a checkpoint says of itself in model_index.json. */
export interface Recommended {
  readonly editing: EditOverrides;
  readonly learning: LearningOverrides;
  readonly steering: SteerOverrides;
  readonly model: { readonly rareWord: string };
}

/** Everything that decides a run beside pictures, model and seed. */
export interface RunOptions {
  readonly learn: LearnOptions;
  readonly steer: SteerOptions | null;
  readonly edit: Settings;
}

/** '[METHOD.]learn|steer|edit.NAME=VALUE[,VALUE…]' @throws AppError BAD_REQUEST */
export function parseSweep(text: string): Sweep {
  const [, method, scope, name, list] = /^(?:([a-z-]+)\.)?(learn|steer|edit)\.(\w+)=(.+)$/.exec(text) ?? [];
  if (!scope || !name || !list) {
    throw new AppError('BAD_REQUEST', `"${text}" is not [METHOD.]learn|steer|edit.NAME=VALUE`);
  }
  if (method && !(METHODS as readonly string[]).includes(method)) {
    throw new AppError('BAD_REQUEST', `there is no method "${method}"`);
  }
  return {
    // both are checked above
    scope: scope as Override['scope'],
    method: (method ?? null) as Method | null,
    name,
    path: text.slice(0, text.indexOf('=')),
    values: list.split(',').map(readValue),
  };
}

function readValue(text: string): Override['value'] {
  if (text === 'true' || text === 'false') return text === 'true';
  return Number.isFinite(Number(text)) ? Number(text) : text;
}

/** @throws AppError BAD_REQUEST */
export function parseOverride(text: string): Override {
  const { path: _, values, ...rest } = parseSweep(text);
  if (values.length !== 1) throw new AppError('BAD_REQUEST', `--set takes one value, not "${text}"`);
  return { ...rest, value: values[0]! };
}

/**
 * Options of learning for a model that recommends none: defaults of the methods are those of Stable Diffusion, hours
 * for the starter.
 */
const SMALL_MODEL: Readonly<Record<Method, Settings>> = {
  'textual-inversion': { steps: 200, learningRate: 5e-3 },
  dreambooth: { steps: 120, learningRate: 1e-4, priorPictures: 8 },
  'dreambooth-lora': { steps: 200, learningRate: 1e-3 },
  'custom-diffusion': { steps: 150, learningRate: 1e-3, priorPictures: 8 },
};

/** Complete options of one variant with one method. @throws AppError BAD_REQUEST naming an option that does not fit */
export function resolveOptions(
  recommended: Recommended,
  method: Method,
  variant: Variant,
  overrides: readonly Override[],
): RunOptions {
  const given = (scope: Override['scope']): Settings =>
    Object.fromEntries(
      overrides
        .filter((o) => o.scope === scope && (o.method === null || o.method === method))
        .map(({ name, value }) => [name, value]),
    );
  const { defaults } = personalizationMethods[method]!;
  const learn = { ...(recommended.learning[method]?.balanced ?? SMALL_MODEL[method]), ...given('learn') };
  return {
    learn: checkLearnOptions(learn, defaults),
    steer:
      variant.steer &&
      checkSteerOptions({ ...given('steer'), ...variant.steer }, steerDefaults(method, recommended.steering)),
    edit: editOptions(variant.edit, method, recommended.editing, given('edit')),
  };
}

/** As the engine has them. An option of other edits only is left out. */
function editOptions(name: string, learnedBy: Method, editing: EditOverrides, given: Settings): Settings {
  const method = editMethods[name];
  if (!method) throw new AppError('BAD_REQUEST', `there is no edit "${name}"`);
  const others = new Set(Object.values(editMethods).flatMap(({ defaults }) => Object.keys(defaults)));
  const known = Object.entries(given).filter(([option]) => option in method.defaults || !others.has(option));
  return checkOptions(Object.fromEntries(known), defaultsOf(method, editing, learnedBy));
}
