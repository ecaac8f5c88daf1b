import { describe, expect, test } from 'vitest';
import { COMPONENTS } from './components';
import { checkWeights } from './weights';

const expected = new Map([
  ['a.weight', [4, 2]],
  ['b.bias', [4]],
]);
const header = (entries: Readonly<Record<string, readonly number[]>>) =>
  new Map(Object.entries(entries).map(([name, shape]) => [name, { shape }]));

describe('checking weights against what a model needs', () => {
  test('maps our names to the keys of the file and reports what nothing asks for', () => {
    const tensors = header({
      'old.a.weight': [4, 2, 1, 1],
      'b.bias': [4],
      extra: [1],
      'x.position_ids': [77],
    });
    const canonical = (key: string) => (key.endsWith('position_ids') ? null : key.replace('old.', ''));
    const { keys, unexpected } = checkWeights(expected, tensors, canonical);
    expect([...keys]).toEqual([
      ['a.weight', 'old.a.weight'],
      ['b.bias', 'b.bias'],
    ]);
    expect(unexpected).toEqual(['extra']);
  });

  test('names what is missing, misshapen and unexpected', () => {
    expect(() => checkWeights(expected, header({ 'a.weight': [2, 4], extra: [1] }))).toThrow(
      expect.objectContaining({
        code: 'MISSING_WEIGHT',
        details: {
          missing: ['b.bias'],
          mismatched: ['a.weight: expected [4,2], found [2,4]'],
          unexpected: ['extra'],
        },
      }),
    );
  });

  test('takes a name once, even under two keys', () => {
    const tensors = header({ 'a.weight': [4, 2], 'old.a.weight': [4, 2], 'b.bias': [4] });
    expect(checkWeights(expected, tensors, (key) => key.replace('old.', '')).unexpected).toEqual([
      'old.a.weight',
    ]);
  });
});

describe('names of files', () => {
  const { AutoencoderKL, CLIPTextModel, CLIPVisionModelWithProjection, UNet2DConditionModel } = COMPONENTS;
  const mid = 'decoder.mid_block.attentions.0';
  test.each([
    ['to_q.weight', 'to_q.weight'],
    ['query.weight', 'to_q.weight'],
    ['key.bias', 'to_k.bias'],
    ['value.weight', 'to_v.weight'],
    ['proj_attn.bias', 'to_out.0.bias'],
    ['q.weight', 'to_q.weight'],
    ['k.weight', 'to_k.weight'],
    ['v.bias', 'to_v.bias'],
    ['proj_out.weight', 'to_out.0.weight'],
    ['norm.weight', 'group_norm.weight'],
    ['group_norm.weight', 'group_norm.weight'],
  ])('VAE attention %s is %s', (key, name) => {
    expect(AutoencoderKL.canonical(`${mid}.${key}`)).toBe(`${mid}.${name}`);
  });

  test('of a UNet stay, although its attention has a norm and a proj_out too', () => {
    const key = 'mid_block.attentions.0.proj_out.weight';
    expect(UNet2DConditionModel.canonical(key)).toBe(key);
  });

  test('of CLIP may lack the prefix', () => {
    const layer = 'encoder.layers.0.self_attn.q_proj.weight';
    expect(CLIPTextModel.canonical(layer)).toBe(`text_model.${layer}`);
    expect(CLIPTextModel.canonical(`text_model.${layer}`)).toBe(`text_model.${layer}`);
    expect(CLIPTextModel.canonical('text_projection.weight')).toBe('text_projection.weight');
    expect(CLIPTextModel.canonical('text_model.embeddings.position_ids')).toBeNull();
    expect(CLIPVisionModelWithProjection.canonical('post_layernorm.bias')).toBe(
      'vision_model.post_layernorm.bias',
    );
  });
});
