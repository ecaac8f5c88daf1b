/** How each kind of reference file maps to our builders. */
import { clipText, TOKEN_TABLE } from '../../src/models/clip-text';
import { clipVision } from '../../src/models/clip-vision';
import { COMPONENTS, type ComponentName, type ConfigOf } from '../../src/models/components';
import { timestepEmbedding } from '../../src/models/embeddings';
import { fromInputs } from '../../src/models/params';
import { tinyVaeDecode, tinyVaeEncode } from '../../src/models/tiny-vae';
import { unet, unetInputs } from '../../src/models/unet';
import { vaeDecode, vaeEncode } from '../../src/models/vae';
import { checkWeights } from '../../src/models/weights';
import { Graph, type Value } from '../../src/onnx/graph';
import { concat, reshape } from '../../src/onnx/movement';
import * as op from '../../src/onnx/ops';
import { AppError } from '../../src/util/errors';
import { type NdArray, rows } from '../../src/util/nd-array';
import { inferClipTextConfig, inferClipVisionConfig, inferTinyVaeConfig } from './infer-config';
import { lossOf } from './loss';

/** What the reference library also calls an input ← our name for it. */
const ALSO_CALLED: Readonly<Record<string, string>> = { latents: 'latent', z: 'latent', input_ids: 'ids' };

/** Our name of an input. */
export const inputName = (name: string): string => ALSO_CALLED[name] ?? name;

export interface Reference {
  readonly metadata: Readonly<Record<string, string>>;
  /** by the file's key, without the prefix `w.` */
  readonly weights: ReadonlyMap<string, NdArray>;
  /** without the prefix `in.`, by `inputName` */
  readonly inputs: ReadonlyMap<string, NdArray>;
  /** with the prefix `out.` */
  readonly outputs: ReadonlyMap<string, NdArray>;
}

/** Graphs of one model: everything a file may hold a reference for. */
export interface Built {
  readonly g: Graph;
  /** by quantity, e.g. 'out.sample' */
  readonly outputs: ReadonlyMap<string, Value>;
  /** values that gradients are asked for by another name than a feed's, e.g. 'latent' */
  readonly variables: ReadonlyMap<string, Value>;
  readonly feeds: ReadonlyMap<string, Float32Array>;
  /** under the names the builders ask for */
  readonly weights: ReadonlyMap<string, Float32Array>;
}

/** Tensors by name; reading an absent one is an error that names it. */
interface Reader {
  (name: string): NdArray;
  readonly has: (name: string) => boolean;
}

type Build<Name extends ComponentName> = (
  config: ConfigOf<Name>,
  input: Reader,
  reference: Reference,
  json: object,
) => Omit<Built, 'weights'>;

/**
 * Find out what a reference file holds, match its weights with ours and build the graphs.
 *
 * @returns one entry; several for a CLIP file that does not record its number of heads, which leaves no trace in shapes
 * @throws AppError UNSUPPORTED_MODEL | MISSING_WEIGHT | BAD_FILE
 */
export function recognise(reference: Reference): readonly Built[] {
  const json = readConfig(reference.metadata);
  const name = classOf(reference, json);
  const attempts =
    name.startsWith('CLIP') && !('num_attention_heads' in json) ? possibleHeads(reference) : [{}];
  return attempts.map((heads) => build(name, reference, { ...json, ...heads }));
}

function possibleHeads({ weights }: Reference): readonly object[] {
  const query = [...weights].find(([key]) => key.endsWith('layers.0.self_attn.q_proj.weight'));
  const width = query?.[1].shape[0] ?? 1;
  const divisors = [...Array(width).keys()].map((i) => i + 1).filter((n) => width % n === 0);
  return divisors.map((num_attention_heads) => ({ num_attention_heads }));
}

function build<Name extends ComponentName>(name: Name, reference: Reference, json: object): Built {
  // the table's row for `Name`; TypeScript loses the link between key and row
  const {
    parse,
    weights: table,
    canonical,
  } = COMPONENTS[name] as unknown as {
    parse: (json: unknown) => ConfigOf<Name>;
    weights: (config: ConfigOf<Name>) => ReadonlyMap<string, readonly number[]>;
    canonical: (key: string) => string | null;
  };
  const canonicalWeights = new Map(
    [...reference.weights].flatMap(([key, value]) => {
      const name = canonical(key);
      return name === null ? [] : [[name, value] as const];
    }),
  );
  // configs of models that were never loaded from a repository say null
  const { architectures, ...fields } = json as { architectures?: unknown };
  const config = parse({
    ...INFER[name]?.(canonicalWeights),
    ...fields,
    ...(architectures ? { architectures } : {}),
  });
  checkWeights(table(config), canonicalWeights);
  const built = (BUILD[name] as Build<Name>)(
    config,
    readerOf(reference),
    { ...reference, weights: canonicalWeights },
    json,
  );
  const target = reference.inputs.get('target');
  const loss = lossOf(built.g, built.outputs, target?.shape);
  return {
    ...built,
    outputs: loss ? new Map([...built.outputs, ['out.loss', loss]]) : built.outputs,
    feeds: target ? new Map([...built.feeds, ['target', target.data]]) : built.feeds,
    weights: new Map([...canonicalWeights].map(([key, { data }]) => [key, data])),
  };
}

function readConfig({ config = '{}', ...flat }: Readonly<Record<string, string>>): object {
  try {
    // fields beside the config count too: some files carry only `hidden_act`
    const beside = Object.entries(flat).map(([key, value]) => [
      key,
      /^\d+$/.test(value) ? Number(value) : value,
    ]);
    return { ...Object.fromEntries(beside), ...(JSON.parse(config) as object) };
  } catch (error) {
    throw new AppError('BAD_FILE', `the metadata entry "config" is not JSON: ${String(error)}`);
  }
}

function classOf({ weights }: Reference, json: object): ComponentName {
  const { _class_name: named, architectures } = json as { _class_name?: unknown; architectures?: unknown };
  const first: unknown = named ?? (Array.isArray(architectures) ? architectures[0] : undefined);
  if (first === 'CLIPTextModelWithProjection') return 'CLIPTextModel';
  if (first === 'CLIPVisionModel') return 'CLIPVisionModelWithProjection';
  if (typeof first === 'string') {
    if (Object.hasOwn(COMPONENTS, first)) return first as ComponentName;
    throw new AppError('UNSUPPORTED_MODEL', `no builder for ${first}`);
  }
  const found = SIGNS.find(([, sign]) => [...weights.keys()].some((key) => sign.test(key)));
  if (!found)
    throw new AppError('UNSUPPORTED_MODEL', 'neither the config nor the weights tell what model this is');
  return found[0];
}

/** A weight that only this kind of model has. */
const SIGNS: readonly (readonly [ComponentName, RegExp])[] = [
  ['UNet2DConditionModel', /^time_embedding\./],
  ['CLIPTextModel', /embeddings\.token_embedding\./],
  ['CLIPVisionModelWithProjection', /embeddings\.patch_embedding\./],
  ['AutoencoderTiny', /^(encoder|decoder)\.layers\.0\.weight$/],
  ['AutoencoderKL', /^(encoder|decoder)\.conv_in\./],
];

const INFER: Partial<Record<ComponentName, (weights: ReadonlyMap<string, NdArray>) => object>> = {
  AutoencoderTiny: inferTinyVaeConfig,
  CLIPTextModel: inferClipTextConfig,
  CLIPVisionModelWithProjection: inferClipVisionConfig,
};

function readerOf({ inputs }: Reference): Reader {
  const read = (name: string): NdArray => {
    const value = inputs.get(name);
    if (!value) throw new AppError('BAD_FILE', `the reference file has no in.${name}`);
    return value;
  };
  return Object.assign(read, { has: (name: string) => inputs.has(name) });
}

/** Outputs and data of one graph, collected in passing. */
function collect() {
  const g = new Graph();
  const outputs = new Map<string, Value>();
  const variables = new Map<string, Value>();
  const feeds = new Map<string, Float32Array>();
  const feed = (name: string, { data, shape }: NdArray): Value => {
    feeds.set(name, data);
    return g.feed(name, shape);
  };
  return { g, outputs, variables, feeds, feed };
}

const BUILD: { readonly [Name in ComponentName]: Build<Name> } = {
  UNet2DConditionModel(config, input) {
    const { feed, feeds, ...built } = collect();
    const { g, outputs } = built;
    const [sample, prompt] = [input('sample'), input('encoder_hidden_states')];
    const [batch, , height, width] = sample.shape as readonly [number, number, number, number];
    const inputs = unetInputs(g, config, { batch, height, width, tokens: prompt.shape[1]! });
    const timesteps = [...input('timestep').data];
    // one timestep may stand for the whole batch
    const t = timesteps.length === 1 ? Array<number>(batch).fill(timesteps[0]!) : timesteps;
    feeds.set('sample', sample.data);
    feeds.set('encoder_hidden_states', prompt.data);
    feeds.set('time_embedding', timestepEmbedding(t, inputs.timeEmbedding.shape[1]!, config).data);
    if (inputs.timestepCond) feeds.set('timestep_cond', input('timestep_cond').data);
    const textTime = config.textTime && {
      textTime: concat(
        g,
        [feed('text_embeds', input('text_embeds')), feed('sizes', sizes(input('time_ids'), config))],
        1,
      ),
    };
    outputs.set('out.sample', unet(g, fromInputs(g), { ...inputs, ...textTime }, config));
    return { ...built, feeds };
  },

  AutoencoderKL(config, input) {
    const { feed, ...built } = collect();
    const { g, outputs, variables } = built;
    const params = fromInputs(g);
    let z = input.has('latent') ? feed('latent', input('latent')) : undefined;
    if (input.has('image')) {
      const { moments, mean, logvar } = vaeEncode(g, params, feed('image', input('image')), config);
      outputs.set('out.moments', moments).set('out.mean', mean).set('out.logvar', logvar);
      outputs.set('out.std', op.exp(g, op.mul(g, logvar, op.scalar(g, 0.5))));
      z ??= mean;
    }
    if (z) {
      variables.set('latent', z);
      outputs.set('out.decoded', vaeDecode(g, params, z, config));
    }
    return built;
  },

  AutoencoderTiny(config, input) {
    const { feed, ...built } = collect();
    const { g, outputs, variables } = built;
    const params = fromInputs(g);
    let z = input.has('latent') ? feed('latent', input('latent')) : undefined;
    if (input.has('image')) {
      const latents = tinyVaeEncode(g, params, feed('image', input('image')), config);
      outputs.set('out.latents', latents);
      z ??= latents;
    }
    if (z) {
      variables.set('latent', z);
      outputs.set('out.decoded', tinyVaeDecode(g, params, z, config));
    }
    return built;
  },

  CLIPTextModel(config, input, { weights }, json) {
    const { feed, ...built } = collect();
    const { g, outputs, variables } = built;
    const ids = input('ids');
    const [batch, length] = ids.shape as readonly [number, number];
    const embeddings = feed('embeddings', {
      data: gatherRows(weights.get(TOKEN_TABLE)!, ids.data),
      shape: [batch, length, config.width],
    });
    variables.set('token_embedding', embeddings);
    const pooling = feed('pooling', { data: endOfText(ids, json), shape: [batch, 1, length] });
    const y = clipText(g, fromInputs(g), { embeddings, pooling }, config);
    const pooled = reshape(g, op.matMul(g, pooling, y.lastHiddenState), [batch, config.width]);
    outputs.set('out.last_hidden_state', y.lastHiddenState).set('out.pooler_output', pooled);
    y.hiddenStates.forEach((state, i, all) => {
      outputs.set(`out.hidden_${i}`, state).set(`out.hidden_m${all.length - i}`, state);
    });
    if (y.textEmbeds) outputs.set('out.text_embeds', y.textEmbeds);
    return built;
  },

  CLIPVisionModelWithProjection(config, input) {
    const { feed, ...built } = collect();
    const { g, outputs } = built;
    const name = input.has('pixel_values') ? 'pixel_values' : 'image';
    const pixels = feed(name, input(name));
    const { imageEmbeds, pooled, lastHiddenState } = clipVision(g, fromInputs(g), pixels, config);
    if (imageEmbeds) outputs.set('out.image_embeds', imageEmbeds);
    outputs.set('out.last_hidden_state', lastHiddenState);
    outputs.set('out.pooler_output', pooled).set('out.pooled', pooled);
    return built;
  },
};

/** SDXL: the sinusoids of each picture's size numbers, side by side, [B, 6·timeEmbedDim]. */
function sizes(ids: NdArray, config: ConfigOf<'UNet2DConditionModel'>): NdArray {
  const [batch, perRow] = ids.shape as readonly [number, number];
  const width = config.textTime!.timeEmbedDim;
  return { data: timestepEmbedding([...ids.data], width, config).data, shape: [batch, perRow * width] };
}

function gatherRows(table: NdArray, ids: Float32Array): Float32Array {
  const width = table.shape[1]!;
  const data = new Float32Array(ids.length * width);
  ids.forEach((id, i) => {
    data.set(rows(table, id, id + 1).data, i * width);
  });
  return data;
}

/**
 * 1 at the first end-of-text token of each row. Files without its id, and old ones that all say 2, mean CLIP's: the
 * highest id.
 */
function endOfText({ data, shape }: NdArray, json: object): Float32Array {
  const [batch, length] = shape as readonly [number, number];
  const { eos_token_id: eos = 2 } = json as { eos_token_id?: unknown };
  const mask = new Float32Array(data.length);
  for (let b = 0; b < batch; b++) {
    const row = data.subarray(b * length, (b + 1) * length);
    // a row without the token pools its first one, as the reference does
    const at = row.indexOf(eos === 2 ? Math.max(...row) : Number(eos));
    mask[b * length + Math.max(0, at)] = 1;
  }
  return mask;
}
