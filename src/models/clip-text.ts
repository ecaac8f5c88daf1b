import type { Graph, Value } from '../onnx/graph';
import { reshape, slice } from '../onnx/movement';
import * as op from '../onnx/ops';
import { AppError } from '../util/errors';
import type { ClipTextConfig } from './clip-config';
import { clipEncoder } from './clip-encoder';
import { layerNorm, linear } from './layers';
import { type BuildOptions, type Net, noTap, type Params } from './params';

/**
 * The token table [vocab, D]. It stays on the host (72-145 MiB for SD1): the rows of a prompt are gathered there and
 * fed as `embeddings`, which is also where the gradient of a learned token ends.
 */
export const TOKEN_TABLE = 'text_model.embeddings.token_embedding.weight';

/** Added to scores of later tokens: far below any score, yet finite. */
const MASKED = -1e9;

export interface ClipTextInputs {
  /** rows of the token table, float32 [B,L,D] with L ≤ maxLength */
  readonly embeddings: Value;
  /** 1 at the position of the first end-of-text token, else 0, float32 [B,1,L]; for `textEmbeds` */
  readonly pooling?: Value;
}

export interface ClipTextOptions extends BuildOptions {
  /** A1111's clip skip k: 1 takes the last layer, 2 the one before */
  readonly clipSkip?: number;
}

export interface ClipTextOutputs {
  /** before any final norm: the embeddings, then each layer's output, float32 [B,L,D] */
  readonly hiddenStates: readonly Value[];
  /** final norm of the chosen layer: what Stable Diffusion is conditioned on, float32 [B,L,D] */
  readonly lastHiddenState: Value;
  /** CLIP's embedding of the whole text, float32 [B,projectionDim]; only with a projection and `pooling` */
  readonly textEmbeds?: Value;
}

/**
 * CLIPTextModel (and its WithProjection variant) behind the token table.
 *
 * @throws AppError SHAPE when the embeddings do not fit, BAD_REQUEST for an impossible clip skip
 * @see FORMATS.md 1.6; Radford et al. 2021, arXiv:2103.00020
 */
export function clipText(
  g: Graph,
  params: Params,
  { embeddings, pooling }: ClipTextInputs,
  config: ClipTextConfig,
  { tap = noTap, dtype = 'float32', clipSkip = 1 }: ClipTextOptions = {},
): ClipTextOutputs {
  const net: Net = { g, params, tap };
  const { width, maxLength, layers, eps, projectionDim } = config;
  const [batch, length] = embeddings.shape as readonly [number, number];
  if (embeddings.shape[2] !== width || length > maxLength) {
    throw new AppError(
      'SHAPE',
      `CLIP text takes [B, up to ${maxLength}, ${width}]; found [${embeddings.shape}]`,
    );
  }
  if (!Number.isInteger(clipSkip) || clipSkip < 1 || clipSkip > layers) {
    throw new AppError('BAD_REQUEST', `clip skip ${clipSkip} is outside 1..${layers}`);
  }
  const table = params('text_model.embeddings.position_embedding.weight', [maxLength, width]);
  const positions = op.cast(g, slice(g, table, [0], [length], [0]), dtype);
  const x = reshape(g, op.add(g, op.cast(g, embeddings, dtype), positions), [-1, width]);
  const states = clipEncoder(net, 'text_model.encoder', x, config, batch, causalMask(g, length));

  const unfolded = (v: Value): Value => op.cast(g, reshape(g, v, [batch, length, width]), 'float32');
  const final = (v: Value): Value => unfolded(layerNorm(net, 'text_model.final_layer_norm', v, eps));
  const lastHiddenState = final(states.at(-clipSkip)!);
  const outputs = { hiddenStates: states.map(unfolded), lastHiddenState };
  if (projectionDim === null || !pooling) return outputs;
  const pooled = reshape(g, op.matMul(g, pooling, final(states.at(-1)!)), [batch, width]);
  return { ...outputs, textEmbeds: linear(net, 'text_projection', pooled, projectionDim, false) };
}

/** [L,L]: a token attends to itself and those before it. */
function causalMask(g: Graph, length: number): Value {
  const mask = new Float32Array(length * length);
  for (let i = 0; i < length; i++) mask.fill(MASKED, i * length + i + 1, (i + 1) * length);
  return g.constant(mask, [length, length]);
}
