import * as composites from '../onnx/composites';
import type { Value } from '../onnx/graph';
import * as op from '../onnx/ops';
import type { ClipEncoderConfig } from './clip-config';
import { activate, layerNorm, linear } from './layers';
import type { Net } from './params';

/**
 * CLIP's pre-norm transformer on tokens [B·L, D].
 *
 * @returns layers + 1 hidden states: the input, then the output of each layer (transformers' `hidden_states`)
 */
export function clipEncoder(
  net: Net,
  name: string,
  x: Value,
  config: ClipEncoderConfig,
  batch: number,
  mask?: Value,
): readonly Value[] {
  const { g } = net;
  const { width, ffn, eps, activation } = config;
  const states = [x];
  for (let i = 0; i < config.layers; i++) {
    const layer = `${name}.layers.${i}`;
    const attended = selfAttention(
      net,
      `${layer}.self_attn`,
      layerNorm(net, `${layer}.layer_norm1`, x, eps),
      {
        config,
        batch,
        ...(mask && { mask }),
      },
    );
    const h = op.add(g, x, attended);
    const inner = linear(net, `${layer}.mlp.fc1`, layerNorm(net, `${layer}.layer_norm2`, h, eps), ffn);
    x = op.add(g, h, linear(net, `${layer}.mlp.fc2`, activate(net, activation, inner), width));
    states.push(x);
  }
  return states;
}

function selfAttention(
  net: Net,
  name: string,
  x: Value,
  options: { readonly config: ClipEncoderConfig; readonly batch: number; readonly mask?: Value },
): Value {
  const { config, ...rest } = options;
  const { width, heads } = config;
  const [q, k, v] = ['q', 'k', 'v'].map((p) => linear(net, `${name}.${p}_proj`, x, width));
  const onProbs = (probs: Value): Value => net.tap(`${name}.probs`, probs);
  const mixed = composites.attention(net.g, q!, k!, v!, { ...rest, heads, onProbs });
  return linear(net, `${name}.out_proj`, mixed, width);
}
