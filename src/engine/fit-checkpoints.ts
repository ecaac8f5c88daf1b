/** What a fit keeps of where it stands, and when. */
import type { SteerCheckpoint } from '../steering/steer';
import { type CheckpointRun, encodeCheckpoint } from './checkpoint-file';
import { CheckpointClock, CheckpointRing } from './checkpoints';
import type { FitEvent } from './events';
import type { EngineHost } from './host';
import type { RunControls } from './run-controls';
import type { Timings } from './timings';

/** Time between checkpoints of samples in the making, ms: they are small. */
const SAMPLES_EVERY = 3000;

export interface FitCheckpoints {
  /** After a sampling step. @param ms  its duration */
  sampled(at: SteerCheckpoint, ms: number): AsyncGenerator<FitEvent, void>;
  /** Account for a training step. @param ms  its duration */
  step(ms: number): void;
  /** Between two of `total` training steps; the guided samples, which take long, are kept at once. */
  trained(done: number, total: number, take: () => Promise<SteerCheckpoint>): AsyncGenerator<FitEvent, void>;
  /** Sampling ended in the middle of a step: those before it. */
  rest(): AsyncGenerator<FitEvent, void>;
}

/**
 * Checkpoints where one is due, asked for, or the last before `signal` ends the job.
 *
 * @param dtype  of the run's networks
 */
export function fitCheckpoints(
  host: Pick<EngineHost, 'writeBytes' | 'deleteBytes'>,
  dtype: CheckpointRun['dtype'],
  controls: RunControls,
  timings: Timings,
  signal: AbortSignal,
): FitCheckpoints {
  const run = { id: crypto.randomUUID(), dtype };
  const ring = new CheckpointRing(host, controls);
  const [training, sampling] = [new CheckpointClock(), new CheckpointClock(SAMPLES_EVERY)];
  /** samples in the making that are not stored as they are now */
  let making: SteerCheckpoint | null = null;

  async function keep(
    step: number,
    take: () => Promise<SteerCheckpoint>,
    clock: CheckpointClock,
  ): Promise<FitEvent> {
    const [state, ms] = await timings.of('checkpoints', async () =>
      host.writeBytes(encodeCheckpoint(await take(), run)),
    );
    clock.written(ms);
    return { kind: 'checkpoint', step, state, dropped: await ring.add(state) };
  }

  async function* rest(): AsyncGenerator<FitEvent, void> {
    const at = making;
    making = null;
    if (at) yield await keep(0, async () => at, sampling);
  }

  return {
    async *sampled(at, ms) {
      sampling.step(ms);
      making = at;
      if (controls.takeSave() || sampling.due || signal.aborted) yield* rest();
    },
    step: (ms) => training.step(ms),
    async *trained(done, total, take) {
      making = null;
      const due = done === 0 || (training.due && done < total);
      if (controls.takeSave() || due || signal.aborted) yield await keep(done, take, training);
    },
    rest,
  };
}
