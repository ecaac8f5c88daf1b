import { expect, test } from 'vitest';
import { Graph, type Value } from '../onnx/graph';
import * as op from '../onnx/ops';
import { runOnNode, type TensorData } from '../onnx/run-node';
import { encodeHalf } from '../util/float16';
import { sizeOf } from '../util/nd-array';
import { createTorchRng } from '../util/random';
import { fromInputs, type Tap } from './params';
import { unet, unetInputs } from './unet';
import { parseUNetConfig } from './unet-config';

const config = parseUNetConfig({
  block_out_channels: [8, 16],
  down_block_types: ['CrossAttnDownBlock2D', 'DownBlock2D'],
  up_block_types: ['UpBlock2D', 'CrossAttnUpBlock2D'],
  layers_per_block: 1,
  attention_head_dim: 2,
  norm_num_groups: 4,
  cross_attention_dim: 6,
});
const size = { batch: 2, height: 5, width: 8, tokens: 3 };

function build(options: { tap?: Tap; dtype?: 'float32' | 'float16' } = {}) {
  const g = new Graph();
  const { dtype = 'float32' } = options;
  return { g, y: unet(g, fromInputs(g, dtype), unetInputs(g, config, size), config, options) };
}

/** Random data as trained networks have it: unit norms, the rest of variance 1/fan-in. */
function bindings(g: Graph): Map<string, Float32Array> {
  const fill = ({ name, shape }: Value, seed: number): Float32Array => {
    const scale = shape.length > 1 && g.weights.has(name) ? 1 / Math.sqrt(sizeOf(shape.slice(1))) : 1;
    if (shape.length === 1) return new Float32Array(shape[0]!).fill(name.endsWith('weight') ? 1 : 0.1);
    return createTorchRng(seed)
      .randn(sizeOf(shape))
      .map((v) => scale * v);
  };
  return new Map([...g.feeds, ...g.weights.values()].map((v, i) => [v.name, fill(v, i)]));
}

test('taps see the probabilities and the output of every attention, under its module path', () => {
  const seen = new Map<string, readonly number[]>();
  const tap: Tap = (name, value) => {
    seen.set(name, value.shape);
    return value;
  };
  build({ tap });
  const sites = [
    'down_blocks.0.attentions.0',
    'mid_block.attentions.0',
    'up_blocks.1.attentions.0',
    'up_blocks.1.attentions.1',
  ];
  const names = sites.flatMap((site) =>
    ['attn1', 'attn2'].flatMap((a) => ['probs', 'out'].map((t) => `${site}.transformer_blocks.0.${a}.${t}`)),
  );
  expect([...seen.keys()]).toEqual(expect.arrayContaining(names));
  const sitesSeen = new Set([...seen.keys()].map((name) => name.split('.transformer_blocks')[0]));
  expect([...sitesSeen]).toEqual(sites);
  expect(seen.get('down_blocks.0.attentions.0.transformer_blocks.0.attn1.probs')).toEqual([2, 2, 40, 40]);
  expect(seen.get('down_blocks.0.attentions.0.transformer_blocks.0.attn2.probs')).toEqual([2, 2, 40, 3]);
  expect(seen.get('mid_block.attentions.0.transformer_blocks.0.attn2.out')).toEqual([2, 12, 16]);
});

test('a tap that only looks changes nothing, a tap that replaces changes the prediction', async () => {
  const plain = build();
  const looking = build({ tap: (_, value) => value });
  const silenced = new Graph();
  const silence: Tap = (name, value) =>
    name.endsWith('attn2.out') ? op.mul(silenced, value, op.scalar(silenced, 0)) : value;
  const y = unet(silenced, fromInputs(silenced), unetInputs(silenced, config, size), config, {
    tap: silence,
  });
  const [a] = await runOnNode(plain.g, [plain.y], bindings(plain.g));
  const [b] = await runOnNode(looking.g, [looking.y], bindings(looking.g));
  const [c] = await runOnNode(silenced, [y], bindings(silenced));
  expect(b).toEqual(a);
  expect(Math.max(...c!.map((v, i) => Math.abs(v - a![i]!)))).toBeGreaterThan(1e-3);
});

test('float16 activations and weights stay close to float32, with norms and softmax in float32', async () => {
  const full = build();
  const half = build({ dtype: 'float16' });
  expect([...half.g.weights.values()].every((v) => v.dtype === 'float16')).toBe(true);
  const statistics = half.g.nodes.filter((n) => n.op === 'LayerNormalization' || n.op === 'Softmax');
  expect(statistics.length).toBeGreaterThan(20);
  expect(statistics.every((n) => n.inputs[0]!.dtype === 'float32')).toBe(true);
  expect([half.y.dtype, half.y.shape]).toEqual(['float32', full.y.shape]);

  const data = bindings(full.g);
  const halves = new Map(
    [...half.g.weights.keys()].map((name) => [name, encodeHalf(data.get(name)!)] as const),
  );
  const [a] = await runOnNode(full.g, [full.y], data);
  const [b] = await runOnNode(half.g, [half.y], new Map<string, TensorData>([...data, ...halves]));
  const scale = Math.max(...a!.map(Math.abs));
  expect(Math.max(...b!.map((v, i) => Math.abs(v - a![i]!))) / scale).toBeLessThan(5e-3);
});

test.each([
  [
    'a batch that differs',
    (g: Graph) => ({ ...unetInputs(g, config, size), timeEmbedding: g.feed('t', [1, 8]) }),
  ],
  [
    'a guidance embedding the model has no place for',
    (g: Graph) => ({ ...unetInputs(g, config, size), timestepCond: g.feed('w', [2, 4]) }),
  ],
])('%s is refused', (_, inputs) => {
  const g = new Graph();
  expect(() => unet(g, fromInputs(g), inputs(g), config)).toThrow(expect.objectContaining({ code: 'SHAPE' }));
});

test('models with a guidance embedding insist on it', () => {
  const g = new Graph();
  const lcm = { ...config, timeCondProjDim: 4 };
  const { timestepCond, ...inputs } = unetInputs(g, lcm, size);
  expect(timestepCond?.shape).toEqual([2, 4]);
  expect(() => unet(g, fromInputs(g), inputs, lcm)).toThrow(/timestepCond/);
});
