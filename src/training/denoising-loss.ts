import type { ClipTextConfig } from '../models/clip-config';
import { clipText } from '../models/clip-text';
import { noTap, type Params, type Tap } from '../models/params';
import { type UNetInputs, unet } from '../models/unet';
import type { UNetConfig } from '../models/unet-config';
import type { Graph, Value } from '../onnx/graph';
import { slice } from '../onnx/movement';
import * as op from '../onnx/ops';

/** Name of the weight that holds learned token rows [n,D]. */
export const TOKEN_ROWS = 'learned_tokens';

export interface TrainedNetworkOptions {
  /** B rows of latents [h,w] with prompts of L tokens, static in the graph */
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly tokens: number;
  readonly unet: { readonly config: UNetConfig; readonly params: Params };
  /** the text encoder as part of the graph, for gradients through it; else text states are fed */
  readonly text?: {
    readonly config: ClipTextConfig;
    readonly params: Params;
    /** n, learned rows that prompts may contain */
    readonly vectors: number;
  };
  /** prompts beyond one per row, whose states come after those of the rows; default 0 */
  readonly extraPrompts?: number;
  readonly tap?: Tap;
  readonly dtype?: 'float32' | 'float16';
  /** see BuildOptions */
  readonly attentionTile?: number;
}

/** A UNet (and text encoder) as part of a loss. */
export interface TrainedNetwork {
  readonly inputs: UNetInputs;
  /** [B,C,h,w] */
  readonly output: Value;
  /** text states of all prompts, [B + extra,L,D] */
  readonly states: Value;
  /** the same weights once more, on other inputs */
  apply(inputs: UNetInputs): Value;
}

/**
 * The network that trains, on `sample` [B,C,h,w].
 *
 * Feeds: `sample`; `time_embedding` [B,C0]; and for each prompt `encoder_hidden_states` [B,L,D], or with `text` its
 * token `embeddings` [B,L,D] with zeros for learned tokens and `placement` [B,L,n], 1 where token l is learned row n.
 */
export function trainedNetwork(g: Graph, options: TrainedNetworkOptions): TrainedNetwork {
  const { batch, height, width, tokens, extraPrompts = 0, tap = noTap, dtype = 'float32' } = options;
  const { config, params } = options.unet;
  const prompts = batch + extraPrompts;
  const sample = g.feed('sample', [batch, config.inChannels, height, width]);
  const timeEmbedding = g.feed('time_embedding', [batch, config.down[0]!.channels]);
  const states = options.text
    ? textStates(g, options.text, prompts, tokens, dtype)
    : g.feed('encoder_hidden_states', [prompts, tokens, config.crossAttentionDim]);
  const { attentionTile } = options;
  const build = { tap, dtype, ...(attentionTile && { attentionTile }) };
  const apply = (inputs: UNetInputs): Value => unet(g, params, inputs, config, build);
  const encoderHiddenStates = extraPrompts > 0 ? slice(g, states, [0], [batch], [0]) : states;
  const inputs = { sample, timeEmbedding, encoderHiddenStates };
  return { inputs, output: apply(inputs), states, apply };
}

/**
 * The training loss of a diffusion model, Σ weight·(network(x_t, t, prompt) − target)², with the feeds of
 * `trainedNetwork` and `weightedError`.
 *
 * @returns a scalar
 * @see METHOD.md 2 (B1)
 */
export const denoisingLoss = (g: Graph, options: TrainedNetworkOptions): Value =>
  weightedError(g, trainedNetwork(g, options).output);

/**
 * Σ weight·(output − target)². Feeds: `target` [B,C,h,w] and `loss_weight` [B,1,h,w], which carries means, prior
 * preservation and valid regions.
 *
 * @param prefix  of both names, where a loss has several such terms
 */
export function weightedError(g: Graph, output: Value, prefix = ''): Value {
  const [batch, , height, width] = output.shape as readonly [number, number, number, number];
  const error = op.sub(g, output, g.feed(`${prefix}target`, output.shape));
  const weight = g.feed(`${prefix}loss_weight`, [batch, 1, height, width]);
  const weighted = op.mul(g, op.mul(g, error, error), weight);
  return op.reduceSum(g, weighted, [0, 1, 2, 3], false);
}

function textStates(
  g: Graph,
  { config, params, vectors }: NonNullable<TrainedNetworkOptions['text']>,
  batch: number,
  tokens: number,
  dtype: 'float32' | 'float16',
): Value {
  let embeddings = g.feed('embeddings', [batch, tokens, config.width]);
  if (vectors > 0) {
    const rows = params(TOKEN_ROWS, [vectors, config.width]);
    embeddings = op.add(g, embeddings, op.matMul(g, g.feed('placement', [batch, tokens, vectors]), rows));
  }
  return clipText(g, params, { embeddings }, config, { dtype }).lastHiddenState;
}
