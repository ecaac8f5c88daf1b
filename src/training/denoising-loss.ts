import type { ClipTextConfig } from '../models/clip-config';
import { clipText } from '../models/clip-text';
import { noTap, type Params, type Tap } from '../models/params';
import { unet } from '../models/unet';
import type { UNetConfig } from '../models/unet-config';
import type { Graph, Value } from '../onnx/graph';
import * as op from '../onnx/ops';

/** Name of the weight that holds learned token rows [n,D]. */
export const TOKEN_ROWS = 'learned_tokens';

export interface DenoisingLossOptions {
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
  readonly tap?: Tap;
  readonly dtype?: 'float32' | 'float16';
  /** see BuildOptions */
  readonly attentionTile?: number;
}

/**
 * The training loss of a diffusion model, Σ weight·(network(x_t, t, prompt) − target)².
 *
 * Feeds: `sample` x_t and `target` [B,C,h,w]; `time_embedding` [B,C0]; `loss_weight` [B,1,h,w], which carries means,
 * prior preservation and valid regions; and `encoder_hidden_states` [B,L,D], or with `text` its token `embeddings`
 * [B,L,D] with zeros for learned tokens and `placement` [B,L,n], 1 where token l is learned row n.
 *
 * @returns a scalar
 * @see METHOD.md 2 (B1)
 */
export function denoisingLoss(g: Graph, options: DenoisingLossOptions): Value {
  const { batch, height, width, tokens, tap = noTap, dtype = 'float32', attentionTile } = options;
  const { config, params } = options.unet;
  const channels = config.down[0]!.channels;
  const inputs = {
    sample: g.feed('sample', [batch, config.inChannels, height, width]),
    timeEmbedding: g.feed('time_embedding', [batch, channels]),
    encoderHiddenStates: options.text
      ? textStates(g, options.text, batch, tokens, dtype)
      : g.feed('encoder_hidden_states', [batch, tokens, config.crossAttentionDim]),
  };
  const build = { tap, dtype, ...(attentionTile && { attentionTile }) };
  const output = unet(g, params, inputs, config, build);
  const error = op.sub(g, output, g.feed('target', output.shape));
  const weighted = op.mul(g, op.mul(g, error, error), g.feed('loss_weight', [batch, 1, height, width]));
  return op.reduceSum(g, weighted, [0, 1, 2, 3], false);
}

function textStates(
  g: Graph,
  { config, params, vectors }: NonNullable<DenoisingLossOptions['text']>,
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
