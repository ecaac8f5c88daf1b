/** What a fit changes: the concept's own weights, or a low-rank update on top of them (METHOD.md A3). */
import type { ModelParts } from '../diffusion/model';
import type { Params } from '../models/params';
import type { Graph } from '../onnx/graph';
import type { Concept } from '../personalization/concept';
import { type Conditioning, frozenText, trainedText } from '../personalization/conditioning';
import { dreamboothLora } from '../personalization/dreambooth';
import { loraFactors, withLora } from '../personalization/lora';
import type { WeightStore } from '../runtime/weights';
import { TOKEN_ROWS } from '../training/denoising-loss';
import type { Trainables } from '../training/trainable';
import type { TrainerState } from '../training/trainer';
import type { NdArray } from '../util/nd-array';

export interface FitPlan {
  readonly trainables: Trainables;
  /** what is read where nothing trains */
  readonly beneath: readonly WeightStore[];
  /** the UNet's weights with the low-rank update that trains, if there is one */
  readonly unetParams: (g: Graph, params: Params) => Params;
  /** learned rows that prompts may contain, when gradients flow through the text encoder; null: they do not */
  readonly vectors: number | null;
  readonly conditioning: () => Promise<Conditioning>;
  readonly onTop: boolean;
  /** what has been learned, as the delta of a fit */
  readonly delta: (state: TrainerState) => Concept;
}

/** Train what the concept learned, from where it stands. @param personalised  the base with the concept */
export function ownWeights(base: ModelParts, personalised: ModelParts, concept: Concept): FitPlan {
  const { rows, unet, text, lora } = concept;
  const start: [string, NdArray][] = [...unet, ...text, ...(lora?.factors ?? [])];
  if (rows) start.push([TOKEN_ROWS, rows]);
  const trainables: Trainables = new Map(
    start.map(([name, value]) => [name, { shape: value.shape, start: async () => value }]),
  );
  const vectors = rows?.shape[0] ?? 0;
  const throughText = rows !== null || text.size > 0;
  return {
    trainables,
    beneath: [base.unet.weights, base.textEncoder.weights],
    unetParams: (g, params) => withLora(g, params, trainables, lora ? lora.alpha / lora.rank : 0),
    vectors: throughText ? vectors : null,
    conditioning: async () =>
      throughText ? trainedText(base, personalised.tokenizer, vectors) : frozenText(personalised),
    onTop: false,
    delta: ({ weights }) => {
      const now = (names: Iterable<string>): Map<string, NdArray> =>
        new Map([...names].map((name) => [name, weights.get(name)!]));
      return {
        ...concept,
        rows: weights.get(TOKEN_ROWS) ?? null,
        unet: now(unet.keys()),
        text: now(text.keys()),
        lora: lora && { ...lora, factors: now(lora.factors.keys()) },
      };
    },
  };
}

/** Leave the concept as it is and train a low-rank update of all attention projections, which starts at nothing. */
export function updateOnTop(
  base: ModelParts,
  personalised: ModelParts,
  concept: Concept,
  rank: number,
  seed: number,
): FitPlan {
  const { weights } = base.unet;
  const table = new Map([...weights.names].map((name) => [name, weights.shape(name)]));
  const trainables = loraFactors(table, dreamboothLora.lora!, rank, seed);
  return {
    trainables,
    beneath: [personalised.unet.weights],
    unetParams: (g, params) => withLora(g, params, trainables, 1),
    vectors: null,
    conditioning: async () => frozenText(personalised),
    onTop: true,
    delta: (state) => ({
      ...concept,
      rows: null,
      unet: new Map(),
      text: new Map(),
      lora: { rank, alpha: rank, factors: state.weights },
    }),
  };
}
