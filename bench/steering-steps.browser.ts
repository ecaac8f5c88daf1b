import { loadOrtWeb } from '../src/runtime/ort-web';
import { httpTree } from '../src/storage/http-tree';
import { createSteering, type SteeringSpec } from './steering-steps';

export interface SteeringRequest {
  /** address of the model's folder */
  readonly model: string;
  readonly spec: SteeringSpec;
  readonly runs: number;
}

const perModel = new Map<string, ReturnType<typeof createSteering>>();

/** Milliseconds of each run, in a browser's worker. */
export async function run({ model, spec, runs }: SteeringRequest): Promise<readonly number[]> {
  const steering = perModel.get(model) ?? createSteering(loadOrtWeb, httpTree(new URL(model), 'starter'));
  perModel.set(model, steering);
  return steering.time(spec, runs);
}
