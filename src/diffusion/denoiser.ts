import { timestepEmbedding } from '../models/embeddings';
import { fromInputs, type Tap } from '../models/params';
import { type UNetInputs, unet, unetInputs } from '../models/unet';
import type { UNetConfig } from '../models/unet-config';
import { Graph, type Value } from '../onnx/graph';
import { concat, reshape } from '../onnx/movement';
import * as op from '../onnx/ops';
import { checkFits, estimateRun, type RunEstimate } from '../runtime/memory';
import { compile, type Program } from '../runtime/session';
import type { WeightStore } from '../runtime/weights';
import { memoizePromise } from '../util/async';
import { AppError } from '../util/errors';
import { type NdArray, rows, stack } from '../util/nd-array';

export interface DenoiserOptions {
  /** latent side [h,w] and prompt tokens L, static in the graph */
  readonly height: number;
  readonly width: number;
  readonly tokens: number;
  /** bytes that a run may take in all and in one tensor */
  readonly limits: { readonly total?: number; readonly tensor?: number };
}

export interface Prediction {
  /** network output [B,C,h,w]: noise, v or sample, by the schedule's prediction type */
  readonly output: NdArray;
  /** attention mass that each place gives to the weighted tokens [B,1,h',w'], in [0,1] */
  readonly attention: NdArray;
}

/** A UNet that can be run: static-shape programs per batch size over one store of weights. */
export interface Denoiser {
  /** rows in one run, 1 or 2: what memory allows. More rows than this are run in several passes */
  readonly maxBatch: number;
  /**
   * @param x             noisy latents [B,C,h,w]
   * @param t             timestep of all rows, in [0, T)
   * @param context       prompts [B,L,D]
   * @param tokenWeights  weight of each prompt token in the attention map [B,L]; default zeros
   */
  predict(x: NdArray, t: number, context: NdArray, tokenWeights?: NdArray): Promise<Prediction>;
  dispose(): Promise<void>;
}

/** @throws AppError TOO_BIG when not even one row fits; UNSUPPORTED_MODEL */
export function createDenoiser(config: UNetConfig, weights: WeightStore, options: DenoiserOptions): Denoiser {
  if (config.timeCondProjDim || config.textTime) {
    throw new AppError('UNSUPPORTED_MODEL', 'editing needs a UNet without guidance or size conditioning', {
      key: config.textTime ? 'addition_embed_type' : 'time_cond_proj_dim',
    });
  }
  const { tokens } = options;
  const maxBatch = fits(config, weights, 2, options) ? 2 : 1;
  if (maxBatch === 1) checkFits(estimate(config, weights, 1, options), options.limits);
  const programs = new Map<number, Promise<Program>>();
  const program = memoizePromise((batch: number) => {
    const { g, outputs } = buildUNet(config, weights, batch, options);
    const compiled = compile(g, outputs, weights, { label: `unet ×${batch}`, capture: true });
    programs.set(batch, compiled);
    return compiled;
  });

  const pass = async (
    x: NdArray,
    t: number,
    context: NdArray,
    tokenWeights: NdArray,
  ): Promise<Prediction> => {
    const batch = x.shape[0]!;
    const time = timestepEmbedding(Array(batch).fill(t), config.down[0]!.channels, config);
    const results = await (await program(batch)).run({
      sample: x,
      time_embedding: time,
      encoder_hidden_states: context,
      token_weights: { data: tokenWeights.data, shape: [batch, 1, tokens, 1] },
    });
    return { output: results.output!, attention: results.attention! };
  };

  return {
    maxBatch,
    async predict(x, t, context, tokenWeights) {
      const batch = x.shape[0]!;
      const weighted = tokenWeights ?? { data: new Float32Array(batch * tokens), shape: [batch, tokens] };
      const passes: Prediction[] = [];
      for (let at = 0; at < batch; at += maxBatch) {
        const end = Math.min(at + maxBatch, batch);
        passes.push(await pass(rows(x, at, end), t, rows(context, at, end), rows(weighted, at, end)));
      }
      return passes.length === 1
        ? passes[0]!
        : { output: stack(passes.map((p) => p.output)), attention: stack(passes.map((p) => p.attention)) };
    },
    async dispose() {
      for (const compiled of programs.values()) await (await compiled).dispose();
    },
  };
}

/** Side, in places, of the cross-attention maps that show a subject best (Prompt-to-Prompt's choice; METHOD.md 3.6). */
const MAP_SIDE = 16;

interface UNetGraph {
  readonly g: Graph;
  readonly outputs: { readonly output: Value; readonly attention: Value };
}

function buildUNet(
  config: UNetConfig,
  { dtype }: WeightStore,
  batch: number,
  { height, width, tokens }: DenoiserOptions,
): UNetGraph {
  const g = new Graph();
  const inputs: UNetInputs = unetInputs(g, config, { batch, height, width, tokens });
  const tokenWeights = g.feed('token_weights', [batch, 1, tokens, 1]);
  const maps: Value[] = [];
  const tap: Tap = (name, value) => {
    // probabilities [B,heads,places,L] of cross-attention
    if (name.endsWith('attn2.probs')) maps.push(op.matMul(g, op.cast(g, value, 'float32'), tokenWeights));
    return value;
  };
  const output = unet(g, fromInputs(g, dtype), inputs, config, { tap, dtype });
  return { g, outputs: { output, attention: meanMap(g, maps, height, width) } };
}

function estimate(...build: Parameters<typeof buildUNet>): RunEstimate {
  const { g, outputs } = buildUNet(...build);
  return estimateRun(g, Object.values(outputs));
}

function fits(...build: Parameters<typeof buildUNet>): boolean {
  try {
    checkFits(estimate(...build), build[3].limits);
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === 'TOO_BIG') return false;
    throw error;
  }
}

/** Mean over heads and over the sites whose maps are nearest to MAP_SIDE: maps [B,heads,places,1] → [B,1,h',w']. */
function meanMap(g: Graph, maps: readonly Value[], height: number, width: number): Value {
  const aspect = height / width;
  const side = (v: Value): number => Math.sqrt(v.shape[2]! / aspect);
  const distance = (v: Value): number => Math.abs(Math.log(side(v) / MAP_SIDE));
  const nearest = Math.min(...maps.map(distance));
  const chosen = maps.filter((v) => distance(v) === nearest);
  if (!chosen[0])
    throw new AppError('UNSUPPORTED_MODEL', 'this UNet has no cross-attention to find a subject with');
  const [batch, heads, places] = chosen[0].shape as readonly [number, number, number];
  const w = Math.round(Math.sqrt(places / aspect));
  // reshaped before the mean: a captured program does not replay the copy that a last Reshape is
  const grids = chosen.map((v) => reshape(g, v, [batch, heads, places / w, w]));
  return op.reduceMean(g, grids.length === 1 ? grids[0]! : concat(g, grids, 1), [1]);
}
