/** The two networks of spatial guidance: the frozen one that shows the photo's layout, and the one that is held to it. */
import { grad } from '../autodiff/grad';
import type { ModelParts } from '../diffusion/model';
import { timestepEmbedding } from '../models/embeddings';
import { fromInputs } from '../models/params';
import { unet, unetInputs } from '../models/unet';
import { Graph, type Value } from '../onnx/graph';
import * as op from '../onnx/ops';
import { checkFits, estimateRun } from '../runtime/memory';
import { type Arrays, compile, type Program } from '../runtime/session';
import { gradientRules } from '../training/step';
import { AppError } from '../util/errors';
import { type NdArray, ndArray } from '../util/nd-array';
import type { TorchRng } from '../util/random';
import { featureTap } from './features';
import type { SteerOptions } from './options';
import { PATCH_SIZES, patchNce } from './patch-nce';

export interface GuideNetworkOptions extends Pick<SteerOptions, 'layers' | 'patches'> {
  /** latent side [h,w] and prompt tokens L */
  readonly height: number;
  readonly width: number;
  readonly tokens: number;
  /** bytes that a run may take in all and in one tensor */
  readonly limits: { readonly total?: number; readonly tensor?: number };
}

interface BuiltUNet {
  readonly g: Graph;
  readonly sample: Value;
  readonly output: Value;
  readonly sites: ReturnType<ReturnType<typeof featureTap>['sites']>;
}

function buildUNet({ unet: { config, weights } }: ModelParts, options: GuideNetworkOptions): BuiltUNet {
  const { height, width, tokens, layers } = options;
  const { dtype } = weights;
  const g = new Graph();
  const inputs = unetInputs(g, config, { batch: 1, height, width, tokens });
  const features = featureTap(height, width, layers);
  const output = unet(g, fromInputs(g, dtype), inputs, config, { tap: features.tap, dtype });
  const sites = features.sites().map((site) => ({ ...site, tokens: op.cast(g, site.tokens, 'float32') }));
  if (sites.length === 0) {
    throw new AppError('UNSUPPORTED_MODEL', 'this UNet has no self-attention in its decoder to guide by');
  }
  return { g, sample: inputs.sample, output, sites };
}

/** CPU backends: nothing changes while these live, so all weights become constants. */
const frozen = { frozen: () => true };
const live = { frozen: () => false };

const unetFeeds = ({ unet: { config } }: ModelParts, x: NdArray, t: number, context: NdArray): Arrays => ({
  sample: x,
  time_embedding: timestepEmbedding([t], config.down[0]!.channels, config),
  encoder_hidden_states: context,
});

/** Features [1,N,C] by site. */
export interface FeatureNetwork {
  features(x: NdArray, t: number, context: NdArray): Promise<Arrays>;
  dispose(): Promise<void>;
}

/** @throws AppError TOO_BIG, UNSUPPORTED_MODEL */
export async function featureNetwork(
  parts: ModelParts,
  options: GuideNetworkOptions,
): Promise<FeatureNetwork> {
  const { g, sites } = buildUNet(parts, options);
  const outputs = Object.fromEntries(sites.map(({ name, tokens }) => [name, tokens]));
  const program = await start(g, outputs, parts, options, 'source features');
  return {
    features: (x, t, context) => program.run(unetFeeds(parts, x, t, context)),
    dispose: () => program.dispose(),
  };
}

export interface Guide {
  /** network output [1,C,h,w] */
  readonly output: NdArray;
  /** d L_sp / d x, [1,C,h,w] */
  readonly gradient: NdArray;
  /** L_sp */
  readonly loss: number;
}

export interface GuideNetwork {
  /** @param rng  draws the places that are compared */
  guide(x: NdArray, t: number, context: NdArray, source: Arrays, rng: TorchRng): Promise<Guide>;
  dispose(): Promise<void>;
}

/**
 * The personalised UNet together with the gradient of L_sp = Σ over sites and patch sizes of PatchNCE with respect to
 * the latent. One program; no gradient of a weight is computed.
 *
 * @throws AppError TOO_BIG, UNSUPPORTED_MODEL
 * @see METHOD.md 3.5 (E8, E9)
 */
export async function guideNetwork(parts: ModelParts, options: GuideNetworkOptions): Promise<GuideNetwork> {
  const { g, sample, output, sites } = buildUNet(parts, options);
  const places: { readonly name: string; readonly count: number; readonly drawn: number }[] = [];
  const losses = sites.flatMap(({ name, tokens, height, width }) => {
    const source = g.feed(`source ${name}`, tokens.shape);
    // the gradient of pooling needs squares that tile the map
    return PATCH_SIZES.filter((size) => height % size === 0 && width % size === 0).map((size) => {
      const count = (height / size) * (width / size);
      const drawn = Math.min(options.patches, count);
      const indices = g.feed(`places ${name} ${size}`, [drawn, 1], 'int64');
      places.push({ name: indices.name, count, drawn });
      return patchNce(g, source, tokens, { height, width, size, indices });
    });
  });
  const loss = losses.reduce((sum, l) => op.add(g, sum, l));
  const table = gradientRules(parts.unet.weights.backend, []);
  const [gradient] = grad(g, loss, [sample], { table });
  const program = await start(g, { output, gradient: gradient!, loss }, parts, options, 'spatial guidance');
  return {
    async guide(x, t, context, source, rng) {
      const sourceFeeds = Object.entries(source).map(([name, value]) => [`source ${name}`, value]);
      const placeFeeds = places.map(({ name, count, drawn }) => [
        name,
        ndArray(rng.randperm(count).slice(0, drawn), [drawn, 1]),
      ]);
      const result = await program.run({
        ...unetFeeds(parts, x, t, context),
        ...Object.fromEntries([...sourceFeeds, ...placeFeeds]),
      });
      return { output: result.output!, gradient: result.gradient!, loss: result.loss!.data[0]! };
    },
    dispose: () => program.dispose(),
  };
}

function start(
  g: Graph,
  outputs: Readonly<Record<string, Value>>,
  { unet: { weights } }: ModelParts,
  { limits }: GuideNetworkOptions,
  label: string,
): Promise<Program> {
  const { name: backend, device } = weights.backend;
  const options = device ? live : frozen;
  checkFits(estimateRun(g, Object.values(outputs), { backend, ...options }), limits);
  return compile(g, outputs, weights, { ...options, label });
}
