/** Where the parts of a single-file checkpoint begin, and what its text encoder is. */
export const LDM_PREFIX = {
  unet: 'model.diffusion_model.',
  vae: 'first_stage_model.',
  /** SD1: the names of transformers */
  clip: 'cond_stage_model.transformer.',
  /** SD2: OpenCLIP's names */
  openClip: 'cond_stage_model.model.',
} as const;

const RESNET: Readonly<Record<string, string>> = {
  norm1: 'in_layers.0',
  conv1: 'in_layers.2',
  time_emb_proj: 'emb_layers.1',
  norm2: 'out_layers.0',
  conv2: 'out_layers.3',
  conv_shortcut: 'skip_connection',
};

const UNET_ENDS: Readonly<Record<string, string>> = {
  'time_embedding.linear_1': 'time_embed.0',
  'time_embedding.linear_2': 'time_embed.2',
  'add_embedding.linear_1': 'label_emb.0.0',
  'add_embedding.linear_2': 'label_emb.0.2',
  conv_in: 'input_blocks.0.0',
  conv_norm_out: 'out.0',
  conv_out: 'out.2',
};

/** module + '.weight' or '.bias' → [module, ending] */
const split = (name: string): readonly [string, string] => {
  const dot = name.lastIndexOf('.');
  return [name.slice(0, dot), name.slice(dot)];
};

const resnet = (tail: string): string => {
  const [module, ending] = split(tail);
  return RESNET[module]! + ending;
};

/**
 * diffusers name → LDM name (without prefix) of every weight of a UNet. LDM numbers blocks over all stages, so the
 * numbers of resnets per stage are counted from the names themselves.
 *
 * @see FORMATS.md 3.4; CompVis/stable-diffusion, ldm/modules/diffusionmodules/openaimodel.py
 */
export function ldmUNetNames(names: Iterable<string>): Map<string, string> {
  const all = [...names];
  const resnets = { down: [] as number[], up: [] as number[] };
  const attends = new Set<string>();
  for (const name of all) {
    const match = /^(down|up)_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\./.exec(name);
    if (!match) continue;
    const side = match[1] as 'down' | 'up';
    const stage = Number(match[2]);
    if (match[3] === 'attentions') attends.add(`${side}${stage}`);
    else resnets[side][stage] = Math.max(resnets[side][stage] ?? 0, Number(match[4]) + 1);
  }
  const firstBlock = (side: 'down' | 'up', stage: number): number =>
    // every down stage but the last ends with a block of its own that halves the size; block 0 is conv_in
    resnets[side]
      .slice(0, stage)
      .reduce((sum, n) => sum + n + (side === 'down' ? 1 : 0), side === 'down' ? 1 : 0);
  const translate = (name: string): string => {
    const staged = /^(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.*)$/.exec(name);
    if (staged) {
      const side = staged[1] as 'down' | 'up';
      const [stage, index, tail] = [Number(staged[2]), Number(staged[4]), staged[5]!];
      const block = firstBlock(side, stage);
      const last = block + resnets[side][stage]!;
      switch (staged[3]) {
        case 'resnets':
          return `${side === 'down' ? 'input' : 'output'}_blocks.${block + index}.0.${resnet(tail)}`;
        case 'attentions':
          return `${side === 'down' ? 'input' : 'output'}_blocks.${block + index}.1.${tail}`;
        case 'downsamplers':
          return `input_blocks.${last}.0.op${split(tail)[1]}`;
        default:
          return `output_blocks.${last - 1}.${attends.has(`up${stage}`) ? 2 : 1}.conv${split(tail)[1]}`;
      }
    }
    const mid = /^mid_block\.(resnets|attentions)\.(\d+)\.(.*)$/.exec(name);
    if (mid?.[1] === 'resnets') return `middle_block.${mid[2] === '0' ? 0 : 2}.${resnet(mid[3]!)}`;
    if (mid) return `middle_block.1.${mid[3]}`;
    const [module, ending] = split(name);
    return (UNET_ENDS[module] ?? module) + ending;
  };
  return new Map(all.map((name) => [name, translate(name)]));
}

/** diffusers name → LDM name (without prefix) of every weight of an AutoencoderKL. Attention weights are 4-D in LDM. */
export function ldmVaeNames(names: Iterable<string>): Map<string, string> {
  const all = [...names];
  const stages = new Set(all.map((name) => /^decoder\.up_blocks\.(\d+)\./.exec(name)?.[1])).size - 1;
  const translate = (name: string): string =>
    name
      .replace(/^encoder\.down_blocks\.(\d+)\.resnets\.(\d+)\./, 'encoder.down.$1.block.$2.')
      .replace(/^encoder\.down_blocks\.(\d+)\.downsamplers\.0\./, 'encoder.down.$1.downsample.')
      .replace(/^decoder\.up_blocks\.(\d+)\./, (_, i: string) => `decoder.up.${stages - 1 - Number(i)}.`)
      .replace(/^(decoder\.up\.\d+)\.resnets\.(\d+)\./, '$1.block.$2.')
      .replace(/^(decoder\.up\.\d+)\.upsamplers\.0\./, '$1.upsample.')
      .replace(/mid_block\.resnets\.(\d)\./, (_, i: string) => `mid.block_${Number(i) + 1}.`)
      .replace('mid_block.attentions.0.group_norm', 'mid.attn_1.norm')
      .replace('mid_block.attentions.0.to_out.0', 'mid.attn_1.proj_out')
      .replace(/mid_block\.attentions\.0\.to_(?=[qkv]\.)/, 'mid.attn_1.')
      .replace('conv_norm_out', 'norm_out')
      .replace('conv_shortcut', 'nin_shortcut');
  return new Map(all.map((name) => [name, translate(name)]));
}

/** A tensor of a single file, or one of three that it stacks along the first axis. */
export interface LdmTensor {
  readonly name: string;
  /** 0 q, 1 k, 2 v of `in_proj`; absent: the whole tensor */
  readonly third?: 0 | 1 | 2;
}

const OPEN_CLIP_LAYER: Readonly<Record<string, string>> = {
  layer_norm1: 'ln_1',
  layer_norm2: 'ln_2',
  'mlp.fc1': 'mlp.c_fc',
  'mlp.fc2': 'mlp.c_proj',
  'self_attn.out_proj': 'attn.out_proj',
};

/** transformers name → where SD2's OpenCLIP text encoder keeps it (without prefix); q, k and v are stacked there. */
export function openClipTensor(name: string): LdmTensor {
  const bare = name.replace(/^text_model\./, '');
  if (bare === 'embeddings.token_embedding.weight') return { name: 'token_embedding.weight' };
  if (bare === 'embeddings.position_embedding.weight') return { name: 'positional_embedding' };
  const layer = /^encoder\.layers\.(\d+)\.(.*)\.(weight|bias)$/.exec(bare);
  if (!layer) return { name: bare.replace('final_layer_norm', 'ln_final') };
  const [, index, module, ending] = layer;
  const third = ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'].indexOf(module!);
  const block = `transformer.resblocks.${index}`;
  return third < 0
    ? { name: `${block}.${OPEN_CLIP_LAYER[module!] ?? module}.${ending}` }
    : { name: `${block}.attn.in_proj_${ending}`, third: third as 0 | 1 | 2 };
}

/** The map the other way round. */
export const inverted = (map: ReadonlyMap<string, string>): Map<string, string> =>
  new Map([...map].map(([a, b]) => [b, a]));
