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
import { reshape } from '../../src/onnx/movement';
import * as op from '../../src/onnx/ops';
import { AppError } from '../../src/util/errors';
import { type NdArray, rows } from '../../src/util/nd-array';
import { inferClipTextConfig, inferClipVisionConfig, inferTinyVaeConfig } from './infer-config';

export interface Reference {
  readonly metadata: Readonly<Record<string, string>>;
  /** by the file's key, without the prefix `w.` */
  readonly weights: ReadonlyMap<string, NdArray>;
  /** without the prefix `in.` */
  readonly inputs: ReadonlyMap<string, NdArray>;
  /** with the prefix `out.` */
  readonly outputs: ReadonlyMap<string, NdArray>;
}

/** Graphs of one model: everything a file may hold a reference for. */
export interface Built {
  readonly g: Graph;
  /** by quantity, e.g. 'out.sample' */
  readonly outputs: ReadonlyMap<string, Value>;
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
  const config = parse({ ...INFER[name]?.(canonicalWeights), ...json });
  checkWeights(table(config), canonicalWeights);
  const { g, outputs, feeds } = (BUILD[name] as Build<Name>)(config, readerOf(reference), {
    ...reference,
    weights: canonicalWeights,
  });
  return { g, outputs, feeds, weights: new Map([...canonicalWeights].map(([key, { data }]) => [key, data])) };
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
  const feeds = new Map<string, Float32Array>();
  const feed = (name: string, { data, shape }: NdArray): Value => {
    feeds.set(name, data);
    return g.feed(name, shape);
  };
  /** mean squared error against `in.target`, if there is one */
  const loss = (y: Value, input: Reader): void => {
    if (!input.has('target')) return;
    const difference = op.sub(g, y, feed('target', input('target')));
    const square = op.mul(g, difference, difference);
    outputs.set('out.loss', op.reduceMean(g, square, [...y.shape.keys()], false));
  };
  return { g, outputs, feeds, feed, loss };
}

const BUILD: { readonly [Name in ComponentName]: Build<Name> } = {
  UNet2DConditionModel(config, input) {
    const { g, outputs, feeds, loss } = collect();
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
    if (config.textTime) {
      feeds.set('text_time', textTime(input('text_embeds'), input('time_ids'), config));
    }
    const y = unet(g, fromInputs(g), inputs, config);
    outputs.set('out.sample', y);
    loss(y, input);
    return { g, outputs, feeds };
  },

  AutoencoderKL(config, input, { outputs: expected }) {
    const { g, outputs, feeds, feed, loss } = collect();
    const params = fromInputs(g);
    if (input.has('image')) {
      const { moments, mean, logvar } = vaeEncode(g, params, feed('image', input('image')), config);
      outputs.set('out.moments', moments).set('out.mean', mean).set('out.logvar', logvar);
      outputs.set('out.std', op.exp(g, op.mul(g, logvar, op.scalar(g, 0.5))));
    }
    const z = input.has('latent') ? input('latent') : expected.get('out.mean');
    if (z) {
      const decoded = vaeDecode(g, params, feed('z', z), config);
      outputs.set('out.decoded', decoded);
      loss(decoded, input);
    }
    return { g, outputs, feeds };
  },

  AutoencoderTiny(config, input, { outputs: expected }) {
    const { g, outputs, feeds, feed, loss } = collect();
    const params = fromInputs(g);
    if (input.has('image'))
      outputs.set('out.latents', tinyVaeEncode(g, params, feed('image', input('image')), config));
    const z = input.has('latent') ? input('latent') : expected.get('out.latents');
    if (z) {
      const decoded = tinyVaeDecode(g, params, feed('z', z), config);
      outputs.set('out.decoded', decoded);
      loss(decoded, input);
    }
    return { g, outputs, feeds };
  },

  CLIPTextModel(config, input, { weights }) {
    const { g, outputs, feeds, feed, loss } = collect();
    const ids = input('ids');
    const [batch, length] = ids.shape as readonly [number, number];
    const embeddings = feed('embeddings', {
      data: gatherRows(weights.get(TOKEN_TABLE)!, ids.data),
      shape: [batch, length, config.width],
    });
    const pooling = feed('pooling', { data: endOfText(ids), shape: [batch, 1, length] });
    const y = clipText(g, fromInputs(g), { embeddings, pooling }, config);
    const pooled = reshape(g, op.matMul(g, pooling, y.lastHiddenState), [batch, config.width]);
    outputs.set('out.last_hidden_state', y.lastHiddenState).set('out.pooler_output', pooled);
    y.hiddenStates.forEach((state, i, all) => {
      outputs.set(`out.hidden_${i}`, state).set(`out.hidden_m${all.length - i}`, state);
    });
    loss(y.lastHiddenState, input);
    if (y.textEmbeds) outputs.set('out.text_embeds', y.textEmbeds);
    return { g, outputs, feeds };
  },

  CLIPVisionModelWithProjection(config, input) {
    const { g, outputs, feeds, feed, loss } = collect();
    const name = input.has('pixel_values') ? 'pixel_values' : 'image';
    const pixels = feed(name, input(name));
    const { imageEmbeds, pooled, lastHiddenState } = clipVision(g, fromInputs(g), pixels, config);
    outputs.set('out.image_embeds', imageEmbeds).set('out.last_hidden_state', lastHiddenState);
    outputs.set('out.pooler_output', pooled).set('out.pooled', pooled);
    loss(imageEmbeds, input);
    return { g, outputs, feeds };
  },
};

/** SDXL: pooled text and the sinusoids of the size numbers, side by side. */
function textTime(text: NdArray, ids: NdArray, config: ConfigOf<'UNet2DConditionModel'>): Float32Array {
  const [batch, perRow] = ids.shape as readonly [number, number];
  const width = config.textTime!.timeEmbedDim;
  const sinusoids = timestepEmbedding([...ids.data], width, config).data;
  return Float32Array.from(
    Array.from({ length: batch }, (_, b) => [
      ...rows(text, b, b + 1).data,
      ...sinusoids.subarray(b * perRow * width, (b + 1) * perRow * width),
    ]).flat(),
  );
}

function gatherRows(table: NdArray, ids: Float32Array): Float32Array {
  const width = table.shape[1]!;
  const data = new Float32Array(ids.length * width);
  ids.forEach((id, i) => {
    data.set(rows(table, id, id + 1).data, i * width);
  });
  return data;
}

/** 1 at the first end-of-text token of each row: CLIP's highest id. */
function endOfText({ data, shape }: NdArray): Float32Array {
  const [batch, length] = shape as readonly [number, number];
  const mask = new Float32Array(data.length);
  for (let b = 0; b < batch; b++) {
    const row = data.subarray(b * length, (b + 1) * length);
    mask[b * length + row.indexOf(Math.max(...row))] = 1;
  }
  return mask;
}
