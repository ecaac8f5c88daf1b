/** Null-text inversion: empty prompts, one per step, with which guided sampling retraces an inverted picture. */
import type { PredictNoise } from '../diffusion/guidance';
import type { ModelParts } from '../diffusion/model';
import { ddimCoefficients, levelAt, noiseCoefficients, type Schedule } from '../diffusion/schedule';
import { timestepGrid } from '../diffusion/timesteps';
import { timestepEmbedding } from '../models/embeddings';
import { unet } from '../models/unet';
import { Graph } from '../onnx/graph';
import * as op from '../onnx/ops';
import { adamw } from '../training/adamw';
import { compileStep, stepPrecision } from '../training/step';
import { type Trainables, trainingParams, trainingStore } from '../training/trainable';
import type { StepOptions, Trainer } from '../training/trainer';
import { axpby, type NdArray, scale, sub, zeros } from '../util/nd-array';

/** Name of the embedding among the weights. */
const NULL_TEXT = 'null_text';

export interface NullTextOptions {
  readonly guidanceScale: number;
  /** Adam steps per sampling step, at most */
  readonly innerSteps: number;
  /** learning rate of the first sampling step; the last has half of it */
  readonly learningRate: number;
  /** inner steps end below this mean squared error, at the first sampling step; it grows by 1e-3 until the last */
  readonly tolerance: number;
  /** each sampling step goes on from the embedding of the one before; else from the empty prompt */
  readonly warmStart: boolean;
}

export interface NullTextInputs {
  readonly unet: ModelParts['unet'];
  /** ε̂ of the same network */
  readonly predictNoise: PredictNoise;
  readonly schedule: Schedule;
  /** DDIM inversion of the source [1,C,h,w]: clean latent first, noise last (steps + 1 in all) */
  readonly trajectory: readonly NdArray[];
  /** [1,L,D] */
  readonly source: NdArray;
  readonly empty: NdArray;
  /** bytes that the gradient's program may take */
  readonly limits: NonNullable<StepOptions['limits']>;
}

export interface NullTextStep {
  /** 0-based sampling step, from noise to clean */
  readonly index: number;
  readonly total: number;
  readonly timestep: number;
  /** [1,L,D] */
  readonly embedding: NdArray;
  /** mean squared error before each inner step that was taken */
  readonly losses: readonly number[];
  /** where guided sampling stands with this embedding [1,C,h,w] */
  readonly latent: NdArray;
}

/**
 * For each DDIM step from noise to clean, lower ‖step(x; ∅_t, y) − pivot‖² over the empty prompt's embedding ∅_t by Adam,
 * then take the step with it. The gradient runs through the UNet in one compiled program.
 *
 * Rate 1e-2·(1 − i/100), stop below 1e-5 + 2e-5·i for step i of 50, as the Google code; for other counts both run over
 * the same range.
 *
 * @throws AppError NUMERIC never: a gradient that is not finite is not applied; as `compileStep`
 * @see Mokady et al. 2023, "Null-text Inversion", arXiv:2211.09794, alg. 1; METHOD.md 7.8
 */
export async function* nullTextInversion(
  inputs: NullTextInputs,
  options: NullTextOptions,
): AsyncGenerator<NullTextStep, void> {
  const { predictNoise, schedule, trajectory, source, empty } = inputs;
  const { config } = inputs.unet;
  const { guidanceScale: w, innerSteps, learningRate, tolerance, warmStart } = options;
  const steps = trajectory.length - 1;
  const stride = Math.floor(schedule.numTrainTimesteps / steps);
  const { trainer, dispose } = await compileNullText(inputs);
  try {
    let embedding = empty;
    let latent = trajectory.at(-1)!;
    for (const [index, t] of timestepGrid(schedule, steps).entries()) {
      const pivot = trajectory[steps - 1 - index]!;
      const here = levelAt(schedule, t);
      const step = ddimCoefficients(here, levelAt(schedule, t - stride));
      const own = noiseCoefficients(schedule.predictionType, here);
      const conditional = await predictNoise(latent, t, source);
      // step(x) − pivot = rest + factor·output of the network with the embedding
      const known = axpby(step.sample, latent, step.noise * w, conditional);
      const unguided = step.noise * (1 - w);
      const feeds = {
        sample: latent,
        time_embedding: timestepEmbedding([t], config.down[0]!.channels, config),
        rest: axpby(1, sub(known, pivot), unguided * own.sample, latent),
        factor: { data: Float32Array.of(unguided * own.output), shape: [1] },
      };
      if (!warmStart) embedding = empty;
      await restart(trainer, embedding);
      const rate = learningRate * (1 - index / (2 * steps));
      const losses: number[] = [];
      while (losses.length < innerSteps) {
        const { loss } = await trainer.step(feeds, rate);
        losses.push(loss);
        if (loss < tolerance + (1e-3 * index) / steps) break;
      }
      embedding = (await trainer.state()).weights.get(NULL_TEXT)!;
      latent = axpby(1, known, unguided, await predictNoise(latent, t, embedding));
      yield { index, total: steps, timestep: t, embedding, losses, latent };
    }
  } finally {
    await dispose();
  }
}

/** Adam forgets its moments between sampling steps, as the reference makes a new one for each. */
const restart = (trainer: Trainer, embedding: NdArray): Promise<void> => {
  const nothing = new Map([[NULL_TEXT, zeros(embedding.shape)]]);
  const weights = new Map([[NULL_TEXT, scale(1, embedding)]]);
  return trainer.restore({ count: 0, weights, slots: { m: nothing, v: nothing } });
};

async function compileNullText({
  unet: { config, weights },
  trajectory,
  empty,
  limits,
}: NullTextInputs): Promise<{ readonly trainer: Trainer; dispose(): Promise<void> }> {
  const { shape } = trajectory[0]!;
  const { dtype } = weights;
  // the reference does not clip
  const { lossScale } = stepPrecision(dtype);
  const trainables: Trainables = new Map([[NULL_TEXT, { shape: empty.shape, start: async () => empty }]]);
  const store = trainingStore(trainables, [weights]);
  const g = new Graph();
  const params = trainingParams(g, trainables, dtype);
  const inputs = {
    sample: g.feed('sample', shape),
    timeEmbedding: g.feed('time_embedding', [1, config.down[0]!.channels]),
    encoderHiddenStates: params(NULL_TEXT, empty.shape),
  };
  const output = unet(g, params, inputs, config, { dtype });
  const error = op.add(g, g.feed('rest', shape), op.mul(g, output, g.feed('factor', [1])));
  const loss = op.reduceMean(g, op.mul(g, error, error), [0, 1, 2, 3], false);
  const trainer = await compileStep(g, loss, [NULL_TEXT], store, {
    optimiser: adamw({ weightDecay: 0 }),
    ...(lossScale && { lossScale }),
    limits,
    label: 'null-text inversion',
  });
  return {
    trainer,
    async dispose() {
      await trainer.dispose();
      store.dispose();
    },
  };
}
