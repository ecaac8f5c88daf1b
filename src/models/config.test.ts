import { describe, expect, test } from 'vitest';
import { parseClipTextConfig, parseClipVisionConfig } from './clip-config';
import { parseUNetConfig } from './unet-config';
import { parseTinyVaeConfig, parseVaeConfig, vaeFactor } from './vae-config';

const stages = {
  down_block_types: ['CrossAttnDownBlock2D', 'DownBlock2D'],
  up_block_types: ['UpBlock2D', 'CrossAttnUpBlock2D'],
  block_out_channels: [32, 64],
};

describe('a UNet configuration', () => {
  test('of nothing but what SD1.5 wrote means SD1.5', () => {
    const { down, mid, up, ...rest } = parseUNetConfig({ cross_attention_dim: 768 });
    expect(down.map((s) => [s.channels, s.layers, s.depths, s.heads])).toEqual([
      [320, 2, [1, 1], 8],
      [640, 2, [1, 1], 8],
      [1280, 2, [1, 1], 8],
      [1280, 2, null, 8],
    ]);
    expect(mid).toEqual({ depth: 1, heads: 8, scale: 1 });
    expect(up.map((s) => [s.channels, s.layers, s.depths])).toEqual([
      [1280, 3, null],
      [1280, 3, [1, 1, 1]],
      [640, 3, [1, 1, 1]],
      [320, 3, [1, 1, 1]],
    ]);
    expect(rest).toMatchObject({
      groups: 32,
      eps: 1e-5,
      linearProjection: false,
      freqShift: 0,
      flipSinToCos: true,
    });
  });

  test('tells a null mid block from a missing one and from one without attention', () => {
    expect(parseUNetConfig({ ...stages }).mid).toMatchObject({ depth: 1 });
    expect(parseUNetConfig({ ...stages, mid_block_type: null }).mid).toBeNull();
    expect(parseUNetConfig({ ...stages, mid_block_type: 'UNetMidBlock2D' }).mid).toMatchObject({
      depth: null,
    });
  });

  test('may give widths of text to stages that do not attend to it', () => {
    const config = { ...stages, cross_attention_dim: [12, 99] };
    expect(parseUNetConfig({ ...config, mid_block_type: null }).crossAttentionDim).toBe(12);
    expect(() => parseUNetConfig(config)).toThrow(/cross_attention_dim/);
  });

  test('reverses lists for the way up, unless the way up has lists of its own', () => {
    const config = { ...stages, layers_per_block: [1, 2], attention_head_dim: [2, 4] };
    const plain = parseUNetConfig({ ...config, transformer_layers_per_block: [3, 5] });
    expect(plain.up.map((s) => [s.layers, s.heads, s.depths])).toEqual([
      [3, 4, null],
      [2, 2, [3, 3]],
    ]);
    expect(plain.mid?.depth).toBe(5);
    const nested = parseUNetConfig({
      ...config,
      transformer_layers_per_block: [[7], [1, 2]],
      reverse_transformer_layers_per_block: [
        [1, 1, 1],
        [8, 9],
      ],
    });
    expect([nested.down[0]!.depths, nested.up[1]!.depths, nested.mid?.depth]).toEqual([[7], [8, 9], 1]);
  });

  test.each([
    ['num_attention_heads', 8],
    ['only_cross_attention', true],
    ['only_cross_attention', [true, false]],
    ['dual_cross_attention', true],
    ['class_embed_type', 'timestep'],
    ['num_class_embeds', 10],
    ['encoder_hid_dim', 768],
    ['encoder_hid_dim_type', 'text_proj'],
    ['time_embedding_type', 'fourier'],
    ['time_embedding_dim', 512],
    ['resnet_time_scale_shift', 'scale_shift'],
    ['resnet_skip_time_act', true],
    ['resnet_out_scale_factor', 1.5],
    ['conv_in_kernel', 1],
    ['conv_out_kernel', 5],
    ['dropout', 0.1],
    ['act_fn', 'mish'],
    ['attention_type', 'gated'],
    ['addition_embed_type', 'image'],
    ['mid_block_type', 'UNetMidBlock2DSimpleCrossAttn'],
    ['down_block_types', ['DownBlock2D', 'AttnDownBlock2D']],
    ['up_block_types', ['UpBlock2D']],
    ['block_out_channels', [32]],
    ['block_out_channels', [32, 6.5]],
    ['layers_per_block', [1, 2, 3]],
    ['layers_per_block', 0],
    ['attention_head_dim', 5],
    ['cross_attention_dim', [16, 32]],
    ['transformer_layers_per_block', [1]],
    ['norm_num_groups', 24],
    ['norm_num_groups', null],
    ['norm_eps', '1e-5'],
    ['downsample_padding', 2],
    ['sample_size', 'large'],
    ['center_input_sample', 1],
  ])('with %s = %j is refused by that name', (key, value) => {
    expect(() => parseUNetConfig({ ...stages, [key]: value })).toThrow(
      expect.objectContaining({
        code: 'UNSUPPORTED_MODEL',
        message: expect.stringContaining(`"${key}"`),
        details: expect.objectContaining({ key }),
      }),
    );
  });

  test('with nested depths but none for the way up is refused by the missing name', () => {
    const config = { ...stages, layers_per_block: 1, transformer_layers_per_block: [[1], [2]] };
    expect(() => parseUNetConfig(config)).toThrow(/"reverse_transformer_layers_per_block" is missing/);
  });

  test('with size conditioning needs both of its widths', () => {
    expect(() => parseUNetConfig({ ...stages, addition_embed_type: 'text_time' })).toThrow(
      /"addition_time_embed_dim" is missing/,
    );
  });

  test.each([[null], ['text'], [[1, 2]]])('that is %j is refused', (json) => {
    expect(() => parseUNetConfig(json)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_MODEL' }));
  });
});

const vae = {
  down_block_types: ['DownEncoderBlock2D', 'DownEncoderBlock2D', 'DownEncoderBlock2D'],
  up_block_types: ['UpDecoderBlock2D', 'UpDecoderBlock2D', 'UpDecoderBlock2D'],
  block_out_channels: [32, 64, 64],
};

describe('a VAE configuration', () => {
  test('without scaling factor is an old SD1 file', () => {
    expect(parseVaeConfig(vae)).toMatchObject({ scalingFactor: 0.18215, shiftFactor: 0, quantConv: true });
  });
  test('tells how many pixels make a latent pixel', () => {
    expect(vaeFactor(parseVaeConfig(vae))).toBe(4);
    expect(vaeFactor(parseTinyVaeConfig({}))).toBe(8);
  });
  test.each([
    [parseVaeConfig, vae, 'down_block_types', ['AttnDownEncoderBlock2D']],
    [parseVaeConfig, vae, 'act_fn', 'gelu'],
    [parseVaeConfig, vae, 'latents_mean', [0, 0, 0, 0]],
    [parseVaeConfig, vae, 'norm_num_groups', 7],
    [parseVaeConfig, vae, 'scaling_factor', -1],
    [parseTinyVaeConfig, {}, 'encoder_block_out_channels', [64, 64, 64, 32]],
    [parseTinyVaeConfig, {}, 'num_decoder_blocks', 'three'],
    [parseTinyVaeConfig, {}, 'upsample_fn', 'bilinear'],
    [parseClipTextConfig, {}, 'hidden_act', 'relu'],
    [parseClipTextConfig, {}, 'num_attention_heads', 7],
    [parseClipTextConfig, {}, 'vocab_size', -1],
    [parseClipVisionConfig, {}, 'patch_size', 500],
    [parseClipVisionConfig, {}, 'num_hidden_layers', 1e9],
  ])('%o refuses %o with %s = %j by that name', (parse, json, key, value) => {
    expect(() => parse({ ...json, [key]: value })).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_MODEL', details: expect.objectContaining({ key }) }),
    );
  });
});
