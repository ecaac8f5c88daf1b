import { loadOrtWeb } from '../src/runtime/ort-web';
import { httpTree } from '../src/storage/http-tree';
import { createSteps, type StepSpec } from './steps';

export interface StepsRequest {
  /** address of the model's folder */
  readonly model: string;
  readonly spec: StepSpec;
  readonly runs: number;
}

const perModel = new Map<string, ReturnType<typeof createSteps>>();

/** Milliseconds of each run, in a browser's worker. */
export async function run({ model, spec, runs }: StepsRequest): Promise<readonly number[]> {
  const steps = perModel.get(model) ?? createSteps(loadOrtWeb, httpTree(new URL(model), 'starter'));
  perModel.set(model, steps);
  return steps.time(spec, runs);
}
