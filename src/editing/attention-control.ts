/** Prompt-to-Prompt inside the graph: two rows, source and target, of which the target attends as the source does. */
import { isCrossAttention, meanMaps, subjectSites, watchAttention } from '../diffusion/attention-maps';
import type { ModelParts } from '../diffusion/model';
import { timestepEmbedding } from '../models/embeddings';
import { fromInputs, type Tap } from '../models/params';
import { unet, unetInputs } from '../models/unet';
import { Graph, type Value } from '../onnx/graph';
import { concat, split } from '../onnx/movement';
import * as op from '../onnx/ops';
import { checkFits, estimateRun } from '../runtime/memory';
import { compile } from '../runtime/session';
import type { NdArray } from '../util/nd-array';

/** What changes from step to step; all of it is fed, so one program serves every prompt and edit. */
export interface Control {
  /** [L,L], see Alignment */
  readonly mapper: NdArray;
  /** target token j attends fromSource[j]·(mapped source map) + own[j]·(its own map), [L] each */
  readonly fromSource: Float32Array;
  readonly own: Float32Array;
  /** the target takes the source's self-attention where there are no more than SELF_PLACES places */
  readonly self: boolean;
}

/** Larger self-attention is left alone (Prompt-to-Prompt's 32²). */
const SELF_PLACES = 32 ** 2;

export interface ControlledUNet {
  /**
   * @param x        [source, target] noisy, [2,C,h,w]
   * @param context  their prompts [2,L,D]
   * @param blend    weight of each token in the attention maps that are returned [2,L]
   * @returns        network output [2,C,h,w] and attention [2,1,h',w'], as the control left it
   */
  predict(
    x: NdArray,
    t: number,
    context: NdArray,
    control: Control,
    blend: NdArray,
  ): Promise<{ readonly output: NdArray; readonly attention: NdArray }>;
  dispose(): Promise<void>;
}

/** @throws AppError TOO_BIG when the two rows do not fit */
export async function controlledUNet(
  { config, weights }: ModelParts['unet'],
  {
    latentShape,
    tokens,
    limits,
  }: {
    readonly latentShape: readonly [number, number, number, number];
    readonly tokens: number;
    readonly limits: { readonly total?: number; readonly tensor?: number };
  },
): Promise<ControlledUNet> {
  const [, , height, width] = latentShape;
  const { dtype } = weights;
  const g = new Graph();
  const inputs = unetInputs(g, config, { batch: 2, height, width, tokens });
  const control = controlTap(g, tokens);
  const watch = watchAttention(g, { height, width }, g.feed('token_weights', [2, 1, tokens, 1]));
  const tap: Tap = (name, value) => watch.tap(name, control(name, value));
  const output = unet(g, fromInputs(g, dtype), inputs, config, { tap, dtype });
  const outputs = { output, attention: meanMaps(g, subjectSites(watch.sites)) };
  checkFits(estimateRun(g, Object.values(outputs), { backend: weights.backend.name }), limits);
  const program = await compile(g, outputs, weights, { label: 'unet with attention control', capture: true });
  return {
    async predict(x, t, context, { mapper, fromSource, own, self }, blend) {
      const results = await program.run({
        sample: x,
        time_embedding: timestepEmbedding([t, t], config.down[0]!.channels, config),
        encoder_hidden_states: context,
        token_weights: { data: blend.data, shape: [2, 1, tokens, 1] },
        mapper,
        from_source: { data: fromSource, shape: [tokens] },
        own: { data: own, shape: [tokens] },
        self: { data: Float32Array.of(self ? 1 : 0), shape: [1] },
      });
      return { output: results.output!, attention: results.attention! };
    },
    dispose: () => program.dispose(),
  };
}

/** Feeds `mapper` [L,L], `from_source` and `own` [L], `self` [1]; acts on probabilities [2,N,places,keys]. */
function controlTap(g: Graph, tokens: number): Tap {
  const mapper = g.feed('mapper', [tokens, tokens]);
  const [fromSource, own] = [g.feed('from_source', [tokens]), g.feed('own', [tokens])];
  const self = g.feed('self', [1]);
  const apart = op.sub(g, op.scalar(g, 1), self);
  const sum = (a: Value, x: Value, b: Value, y: Value): Value => op.add(g, op.mul(g, x, a), op.mul(g, y, b));
  return (name, value) => {
    if (!name.endsWith('.probs')) return value;
    const cross = isCrossAttention(name);
    if (!cross && value.shape[2]! > SELF_PLACES) return value;
    const [source, target] = split(g, value, [1, 1], 0) as [Value, Value];
    const next = cross
      ? sum(fromSource, op.matMul(g, source, mapper), own, target)
      : sum(self, source, apart, target);
    return concat(g, [source, next], 0);
  };
}
