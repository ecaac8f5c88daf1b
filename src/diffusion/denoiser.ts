import { timestepEmbedding } from '../models/embeddings';
import { fromInputs } from '../models/params';
import { unet, unetInputs } from '../models/unet';
import type { UNetConfig } from '../models/unet-config';
import { Graph, type Value } from '../onnx/graph';
import { checkFits, estimateRun, type RunEstimate } from '../runtime/memory';
import { compile, type Program } from '../runtime/session';
import type { WeightStore } from '../runtime/weights';
import { memoizePromise } from '../util/async';
import { AppError } from '../util/errors';
import { groups } from '../util/groups';
import { type NdArray, rows, stack, zeros } from '../util/nd-array';
import { type AttentionSite, meanMaps, subjectSites, type UNetPart, watchAttention } from './attention-maps';

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
  /** attention mass that each place gives to each weighting of tokens [B,K,h',w'], in [0,1] */
  readonly attention: NdArray;
}

/** Mean attention over heads and over all sites of one size in one part of the UNet. */
export interface PartAttention {
  readonly part: UNetPart;
  /** maps in the mean: sites × heads */
  readonly count: number;
  /** mass that each place gives to each token [B,L,h',w'], in [0,1]; sums to 1 over L */
  readonly maps: NdArray;
}

/** A UNet that can be run: static-shape programs per batch size over one store of weights. */
export interface Denoiser {
  /** rows in one run, 1 or 2: what memory allows. More rows than this are run in several passes */
  readonly maxBatch: number;
  readonly weights: WeightStore;
  /**
   * @param x             noisy latents [B,C,h,w]
   * @param t             timestep of all rows or of each, in [0, T)
   * @param context       prompts [B,L,D]
   * @param tokenWeights  weight of each prompt token in each of K attention maps [B,L,K]; default zeros, K = 1
   */
  predict(
    x: NdArray,
    t: number | readonly number[],
    context: NdArray,
    tokenWeights?: NdArray,
  ): Promise<Prediction>;
  /** Where every token of the prompts is attended to, by part of the UNet and size; arguments as in `predict`. */
  attend(x: NdArray, t: number, context: NdArray): Promise<readonly PartAttention[]>;
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
  const built = (batch: number, graph: UNetGraph): Promise<Program> =>
    compile(graph.g, graph.outputs, weights, { label: `unet ×${batch}`, capture: true });
  const subjectProgram = memoizePromise((key: string) => {
    const [batch, maps] = key.split(' ').map(Number) as [number, number];
    return built(batch, buildUNet(config, weights, batch, options, maps));
  });
  const partsProgram = memoizePromise(async (_: 'all tokens') => {
    const { sites, ...graph } = buildParts(config, weights, options);
    return { program: await built(1, graph), sites };
  });

  const pass = async (
    x: NdArray,
    timesteps: readonly number[],
    context: NdArray,
    tokenWeights: NdArray,
  ): Promise<Prediction> => {
    const [batch, , maps] = tokenWeights.shape as [number, number, number];
    const results = await (await subjectProgram(`${batch} ${maps}`)).run({
      ...inputs(x, timesteps, context),
      token_weights: { data: tokenWeights.data, shape: [batch, 1, tokens, maps] },
    });
    return { output: results.output!, attention: results.attention! };
  };
  const inputs = (x: NdArray, timesteps: readonly number[], context: NdArray) => ({
    sample: x,
    time_embedding: timestepEmbedding(timesteps, config.down[0]!.channels, config),
    encoder_hidden_states: context,
  });

  return {
    maxBatch,
    weights,
    async predict(x, t, context, tokenWeights) {
      const batch = x.shape[0]!;
      const timesteps = typeof t === 'number' ? Array<number>(batch).fill(t) : t;
      const weighted = tokenWeights ?? zeros([batch, tokens, 1]);
      const passes: Prediction[] = [];
      for (let at = 0; at < batch; at += maxBatch) {
        const end = Math.min(at + maxBatch, batch);
        passes.push(
          await pass(
            rows(x, at, end),
            timesteps.slice(at, end),
            rows(context, at, end),
            rows(weighted, at, end),
          ),
        );
      }
      return passes.length === 1
        ? passes[0]!
        : { output: stack(passes.map((p) => p.output)), attention: stack(passes.map((p) => p.attention)) };
    },
    async attend(x, t, context) {
      const { program, sites } = await partsProgram('all tokens');
      const results = await program.run(inputs(x, [t], context));
      return sites.map(({ part, count }, i) => ({ part, count, maps: results[`maps ${i}`]! }));
    },
    async dispose() {
      const parts = (await partsProgram.loaded()).map(({ program }) => program);
      for (const program of [...(await subjectProgram.loaded()), ...parts]) await program.dispose();
    },
  };
}

interface UNetGraph {
  readonly g: Graph;
  readonly outputs: Readonly<Record<string, Value>>;
}

/** Prediction and the attention to K weightings of tokens. */
function buildUNet(
  config: UNetConfig,
  { dtype }: WeightStore,
  batch: number,
  { height, width, tokens }: DenoiserOptions,
  maps = 1,
): UNetGraph {
  const g = new Graph();
  const inputs = unetInputs(g, config, { batch, height, width, tokens });
  const tokenWeights = g.feed('token_weights', [batch, 1, tokens, maps]);
  const { tap, sites } = watchAttention(g, { height, width }, tokenWeights);
  const output = unet(g, fromInputs(g, dtype), inputs, config, { tap, dtype });
  return { g, outputs: { output, attention: meanMaps(g, subjectSites(sites)) } };
}

/** The attention to every token, of one row: sites of one part and size together. */
function buildParts(
  config: UNetConfig,
  { dtype }: WeightStore,
  { height, width, tokens }: DenoiserOptions,
): UNetGraph & { readonly sites: readonly Omit<PartAttention, 'maps'>[] } {
  const g = new Graph();
  const inputs = unetInputs(g, config, { batch: 1, height, width, tokens });
  const { tap, sites } = watchAttention(g, { height, width });
  unet(g, fromInputs(g, dtype), inputs, config, { tap, dtype });
  const alike = groups(sites, (site) => `${site.part} ${site.height}`);
  const outputs = Object.fromEntries(alike.map((group, i) => [`maps ${i}`, meanMaps(g, group)]));
  const heads = (group: readonly AttentionSite[]): number =>
    group.reduce((n, { maps }) => n + maps.shape[1]!, 0);
  return { g, outputs, sites: alike.map((group) => ({ part: group[0]!.part, count: heads(group) })) };
}

function estimate(...build: Parameters<typeof buildUNet>): RunEstimate {
  const { g, outputs } = buildUNet(...build);
  return estimateRun(g, Object.values(outputs), { backend: build[1].backend.name });
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
