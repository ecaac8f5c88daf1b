/** Editability driven score distillation: make the concept's edits come to rest where the plain model's would. */
import { pullback } from '../autodiff/grad';
import type { VjpTable } from '../autodiff/vjps';
import {
  addNoise,
  levelAt,
  noiseCoefficients,
  type PredictionType,
  type Schedule,
} from '../diffusion/schedule';
import { drawScore } from '../diffusion/score';
import type { Graph, Value } from '../onnx/graph';
import { concat, slice } from '../onnx/movement';
import * as op from '../onnx/ops';
import type { TrainedNetwork } from '../training/denoising-loss';
import { axpby, type NdArray, ndArray } from '../util/nd-array';
import type { TorchRng } from '../util/random';
import type { SteerOptions } from './options';

export interface EdsdLossOptions
  extends Pick<SteerOptions, 'oneStep' | 'jacobian' | 'edsdGuidance' | 'region' | 'anchor'> {
  readonly predictionType: PredictionType;
  /** gradient rules for the second call, where its Jacobian is asked for */
  readonly table: VjpTable;
}

export interface EdsdLoss {
  /** the surrogate; signed, and no measure of progress */
  readonly loss: Value;
  /** mean Δ², which should fall, and mean (A − C)² */
  readonly metrics: { readonly delta2: Value; readonly gap: Value };
}

/** Is there a second call? Without an edit it would repeat the first. */
const asksAgain = ({ oneStep, jacobian }: EdsdLossOptions): boolean =>
  oneStep !== 'none' || jacobian === 'true';

/**
 * Surrogate of (E2) whose gradient is (E5): w(t)·mean(u·A), u a constant.
 *
 *   A = ε̂_φ(x_t^src, t, y_ref), the only call that carries a gradient: row 0 of `network`
 *   C = ε̂_φ0(x_t^src, t, y_src), fed
 *   x̂ = edit_base − edit_rate·A, any of E3a–c by `oneStepEdit`;  B = ε̂_φ(x̂, t, y_ref);  Δ = B − C
 *   u = Δ for J_U := −I (E5), −Δ for +I, −J_Uᵀ·Δ for the true Jacobian; c(t) is 1 throughout
 *
 * With guidance ≠ 1 all three are guided, and the gradient flows through A's conditional half only (METHOD.md A2); the
 * empty prompt's states are then the last of `network.states`.
 *
 * In 'surroundings' u is multiplied by a fed map, 1 where the subject is not (ours, see `surroundings`): the paper's loss
 * holds the subject to the photo's as well. With an anchor u gets anchor·(1 − map)·(A − A₀) on top, A₀ the prediction of
 * the concept as learned: the subject is held to it (ours).
 *
 * Feeds: `region` [1,1,h,w] if so, `learned` A₀ [1,C,h,w] if anchored; `reference` C and `edit_base` [1,C,h,w], `edit_rate`
 * and `score_weight` [1], `edit_time_embedding` [1,C0]; for networks that do not output noise `noise_of_output`,
 * `noise_of_sample` and their `edit_…` twins [1].
 *
 * @see METHOD.md 3.3
 */
export function edsdLoss(g: Graph, network: TrainedNetwork, options: EdsdLossOptions): EdsdLoss {
  const { inputs, states } = network;
  const w = options.edsdGuidance;
  const row = (v: Value, at: number): Value => (v.shape[0] === 1 ? v : slice(g, v, [at], [at + 1], [0]));
  const context = op.detach(g, row(states, 0));
  const empty = w === 1 ? null : op.detach(g, row(states, states.shape[0]! - 1));
  const [sample, time] = [row(inputs.sample, 0), row(inputs.timeEmbedding, 0)];
  const scalar = (value: number): Value => op.scalar(g, value);
  const noise = noiseOf(g, options.predictionType);

  const conditional = noise(row(network.output, 0), sample, '');
  let a = conditional;
  if (empty) {
    const output = network.apply({ sample, timeEmbedding: time, encoderHiddenStates: empty });
    const unconditional = op.detach(g, noise(output, sample, ''));
    a = op.add(g, op.mul(g, unconditional, scalar(1 - w)), op.mul(g, conditional, scalar(w)));
  }
  const c = g.feed('reference', a.shape);

  let delta = op.sub(g, a, c);
  let cotangent = delta;
  if (asksAgain(options)) {
    const move = op.mul(g, op.detach(g, a), g.feed('edit_rate', [1]));
    const edited = op.sub(g, g.feed('edit_base', a.shape), move);
    const editTime = g.feed('edit_time_embedding', time.shape);
    const [x, t, prompts] = empty
      ? [concat(g, [edited, edited], 0), concat(g, [editTime, editTime], 0), concat(g, [context, empty], 0)]
      : [edited, editTime, context];
    const output = noise(
      network.apply({ sample: x, timeEmbedding: t, encoderHiddenStates: prompts }),
      x,
      'edit_',
    );
    const b = empty
      ? op.add(g, op.mul(g, row(output, 0), scalar(w)), op.mul(g, row(output, 1), scalar(1 - w)))
      : output;
    delta = op.sub(g, b, c);
    cotangent =
      options.jacobian === 'true'
        ? op.neg(g, pullback(g, [[b, op.detach(g, delta)]], [edited], { table: options.table })[0]!)
        : delta;
  }
  if (options.jacobian === 'plus') cotangent = op.neg(g, cotangent);
  if (options.region === 'surroundings') {
    const region = g.feed('region', [1, 1, ...a.shape.slice(2)]);
    cotangent = op.mul(g, cotangent, region);
    if (options.anchor > 0) {
      const subject = op.mul(g, op.sub(g, scalar(1), region), scalar(options.anchor));
      const moved = op.sub(g, a, g.feed('learned', a.shape));
      cotangent = op.add(g, cotangent, op.mul(g, moved, subject));
    }
  }
  const product = op.mul(g, op.detach(g, cotangent), a);
  const gap = op.sub(g, a, c);
  const mean = (v: Value): Value => op.reduceMean(g, v, [0, 1, 2, 3], false);
  return {
    loss: op.mul(g, op.reduceSum(g, g.feed('score_weight', [1]), [0], false), mean(product)),
    metrics: { delta2: mean(op.mul(g, delta, delta)), gap: mean(op.mul(g, gap, gap)) },
  };
}

/** Network output → ε̂, with the two coefficients of the level fed. */
function noiseOf(g: Graph, type: PredictionType): (output: Value, x: Value, prefix: string) => Value {
  const feeds = new Map<string, Value>();
  const feed = (name: string): Value => {
    const value = feeds.get(name) ?? g.feed(name, [1]);
    feeds.set(name, value);
    return value;
  };
  return (output, x, prefix) =>
    type === 'epsilon'
      ? output
      : op.add(
          g,
          op.mul(g, output, feed(`${prefix}noise_of_output`)),
          op.mul(g, x, feed(`${prefix}noise_of_sample`)),
        );
}

/** One draw of EDSD's expectation: t, ε and the noised photo. */
export interface EdsdDraw {
  readonly t: number;
  readonly weight: number;
  readonly noise: NdArray;
  /** x_t^src */
  readonly sample: NdArray;
}

export function drawEdsd(
  rng: TorchRng,
  schedule: Schedule,
  source: NdArray,
  { tMin, tMax, timeWeight }: Pick<SteerOptions, 'tMin' | 'tMax' | 'timeWeight'>,
): EdsdDraw {
  const { t, noise, weight } = drawScore(rng, schedule, source.shape, { tMin, tMax, weight: timeWeight });
  return { t, weight, noise, sample: addNoise(schedule, source, noise, t) };
}

/**
 * The one-step edit as x̂ = base − rate·A, and the timestep that x̂ is at.
 *
 *   'dds'  (E3a)  x_t − γ·α_t·(A − C)      one DDS-S step on x_0, noised again with the same ε
 *   'sds'  (E3b)  x_t − γ·α_t·(A − ε)      one SDS step
 *   'ddim' (E3c)  DDIM from t to t − γ·T   with A
 *   'none'        x_t
 *
 * @param reference  C
 * @see METHOD.md 3.3, A1
 */
export function oneStepEdit(
  schedule: Schedule,
  { t, noise, sample }: EdsdDraw,
  reference: NdArray,
  { oneStep, gamma }: Pick<SteerOptions, 'oneStep' | 'gamma'>,
): { readonly base: NdArray; readonly rate: number; readonly t: number } {
  const here = levelAt(schedule, t);
  const rate = gamma * here.alpha;
  switch (oneStep) {
    case 'dds':
      return { base: axpby(1, sample, rate, reference), rate, t };
    case 'sds':
      return { base: axpby(1, sample, rate, noise), rate, t };
    case 'ddim': {
      const to = Math.max(0, t - Math.round(gamma * schedule.numTrainTimesteps));
      const next = levelAt(schedule, to);
      const keep = next.alpha / here.alpha;
      return { base: axpby(keep, sample, 0, sample), rate: keep * here.sigma - next.sigma, t: to };
    }
    case 'none':
      return { base: sample, rate: 0, t };
  }
}

/** Feeds of `edsdLoss` for one step, but for the row of the network itself. @param embed  t → [1,C0] */
export function edsdFeeds(
  schedule: Schedule,
  draw: EdsdDraw,
  reference: NdArray,
  options: EdsdLossOptions & Pick<SteerOptions, 'gamma'>,
  embed: (t: number) => NdArray,
): Record<string, NdArray> {
  const number = (value: number): NdArray => ndArray([value], [1]);
  const feeds: Record<string, NdArray> = { reference, score_weight: number(draw.weight) };
  const converted = schedule.predictionType !== 'epsilon';
  const coefficients = (prefix: string, t: number): void => {
    if (!converted) return;
    const { output, sample } = noiseCoefficients(schedule.predictionType, levelAt(schedule, t));
    feeds[`${prefix}noise_of_output`] = number(output);
    feeds[`${prefix}noise_of_sample`] = number(sample);
  };
  coefficients('', draw.t);
  if (asksAgain(options)) {
    const { base, rate, t } = oneStepEdit(schedule, draw, reference, options);
    feeds.edit_base = base;
    feeds.edit_rate = number(rate);
    feeds.edit_time_embedding = embed(t);
    coefficients('edit_', t);
  }
  return feeds;
}
