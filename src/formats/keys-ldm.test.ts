import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { inverted, ldmUNetNames, ldmVaeNames, openClipTensor } from './keys-ldm';

/** Two stages with one resnet per block, attention in the outer one: what tiny UNets look like. */
const tinyUNet: Record<string, string> = {
  'conv_in.weight': 'input_blocks.0.0.weight',
  'time_embedding.linear_2.bias': 'time_embed.2.bias',
  'down_blocks.0.resnets.0.norm1.weight': 'input_blocks.1.0.in_layers.0.weight',
  'down_blocks.0.attentions.0.proj_in.weight': 'input_blocks.1.1.proj_in.weight',
  'down_blocks.0.downsamplers.0.conv.bias': 'input_blocks.2.0.op.bias',
  'down_blocks.1.resnets.0.conv_shortcut.weight': 'input_blocks.3.0.skip_connection.weight',
  'mid_block.resnets.0.time_emb_proj.weight': 'middle_block.0.emb_layers.1.weight',
  'mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight':
    'middle_block.1.transformer_blocks.0.attn2.to_k.weight',
  'mid_block.resnets.1.conv2.bias': 'middle_block.2.out_layers.3.bias',
  'up_blocks.0.resnets.0.conv1.weight': 'output_blocks.0.0.in_layers.2.weight',
  'up_blocks.0.resnets.1.norm2.weight': 'output_blocks.1.0.out_layers.0.weight',
  'up_blocks.0.upsamplers.0.conv.weight': 'output_blocks.1.1.conv.weight',
  'up_blocks.1.resnets.0.conv1.weight': 'output_blocks.2.0.in_layers.2.weight',
  'up_blocks.1.resnets.1.conv1.weight': 'output_blocks.3.0.in_layers.2.weight',
  'up_blocks.1.attentions.1.norm.bias': 'output_blocks.3.1.norm.bias',
  'conv_norm_out.weight': 'out.0.weight',
  'conv_out.bias': 'out.2.bias',
};

test('a small UNet is numbered as LDM numbers it', () => {
  expect(Object.fromEntries(ldmUNetNames(Object.keys(tinyUNet)))).toEqual(tinyUNet);
});

test('an upsampler comes after the attention of its block', () => {
  const names = [
    'up_blocks.0.resnets.0.norm1.weight',
    'up_blocks.0.attentions.0.norm.weight',
    'up_blocks.0.upsamplers.0.conv.bias',
  ];
  expect(ldmUNetNames(names).get(names[2]!)).toBe('output_blocks.0.2.conv.bias');
});

test('a VAE counts its decoder stages from the other end', () => {
  const names = {
    'encoder.down_blocks.1.resnets.0.conv_shortcut.weight': 'encoder.down.1.block.0.nin_shortcut.weight',
    'encoder.down_blocks.0.downsamplers.0.conv.weight': 'encoder.down.0.downsample.conv.weight',
    'encoder.mid_block.attentions.0.to_q.weight': 'encoder.mid.attn_1.q.weight',
    'decoder.mid_block.attentions.0.to_out.0.bias': 'decoder.mid.attn_1.proj_out.bias',
    'decoder.mid_block.resnets.1.norm1.weight': 'decoder.mid.block_2.norm1.weight',
    'decoder.up_blocks.0.resnets.2.conv1.weight': 'decoder.up.1.block.2.conv1.weight',
    'decoder.up_blocks.1.resnets.0.conv1.weight': 'decoder.up.0.block.0.conv1.weight',
    'decoder.up_blocks.0.upsamplers.0.conv.weight': 'decoder.up.1.upsample.conv.weight',
    'decoder.conv_norm_out.bias': 'decoder.norm_out.bias',
    'quant_conv.weight': 'quant_conv.weight',
  };
  expect(Object.fromEntries(ldmVaeNames(Object.keys(names)))).toEqual(names);
});

test("OpenCLIP's text encoder stacks q, k and v", () => {
  const layer = 'text_model.encoder.layers.3';
  expect(
    [
      `${layer}.self_attn.v_proj.bias`,
      `${layer}.self_attn.out_proj.weight`,
      `${layer}.mlp.fc2.weight`,
      `${layer}.layer_norm1.bias`,
      'text_model.final_layer_norm.weight',
      'text_model.embeddings.position_embedding.weight',
    ].map(openClipTensor),
  ).toEqual([
    { name: 'transformer.resblocks.3.attn.in_proj_bias', third: 2 },
    { name: 'transformer.resblocks.3.attn.out_proj.weight' },
    { name: 'transformer.resblocks.3.mlp.c_proj.weight' },
    { name: 'transformer.resblocks.3.ln_1.bias' },
    { name: 'ln_final.weight' },
    { name: 'positional_embedding' },
  ]);
});

const fixtures = new URL('../../../shared/fixtures/', import.meta.url);
describe.skipIf(!existsSync(fixtures))('reference maps (skipped where ../shared/fixtures is absent)', () => {
  const json = (name: string) => JSON.parse(readFileSync(new URL(name, fixtures), 'utf8'));
  test.each([
    ['unet_sd15', 'unet_sd15', ldmUNetNames],
    ['vae_kl_sd', 'vae', ldmVaeNames],
  ])('%s has the map of the reference converter, both ways', (shapes, key, names) => {
    const reference = json('diffusers_to_ldm_sd15.json')[key] as Record<string, string>;
    const map = names(Object.keys(json(`${shapes}.shapes.json`)));
    expect(Object.fromEntries(map)).toEqual(reference);
    expect(inverted(map).size).toBe(map.size);
  });

  test.each(['bk-sdm-base', 'bk-sdm-small', 'bk-sdm-tiny', 'sd21-base', 'sdxl', 'lcm-dreamshaper-v7'])(
    'no two weights of %s share a name',
    (name) => {
      const map = ldmUNetNames(Object.keys(json(`unet_${name}.shapes.json`)));
      expect(inverted(map).size).toBe(map.size);
    },
  );
});
