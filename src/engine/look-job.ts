import type { DiffusionModel } from '../diffusion/model';
import { spreadTimesteps } from '../diffusion/score';
import { attendToWords } from '../editing/word-attention';
import { cropSquare } from '../formats/crop';
import { toTensor } from '../formats/tensor';
import { AppError } from '../util/errors';
import { targetBranch } from './edit-branches';
import type { LookEvent, LookRequest, PromptAttention } from './events';
import type { EngineHost } from './host';
import { inBestPrecision, type LoadModel } from './precision';

/** Looks over the whole range of noise unless asked otherwise: where, and as often as, DDS-SM looks for its subject. */
const DEFAULT = { tMin: 50, tMax: 949, looks: 10 };

/**
 * Where the words of a recipe's prompts are attended to in its square. Aborted, it ends before the next network call.
 *
 * @throws AppError BAD_REQUEST for timesteps beyond the schedule or a prompt without a place for its concept; BAD_FILE;
 *         NUMERIC when float32 overflows too
 */
export const lookJob = (
  host: EngineHost,
  load: LoadModel,
  request: LookRequest,
  signal: AbortSignal,
): AsyncGenerator<LookEvent, void> =>
  inBestPrecision(load, request.recipe.model, 'looking', null, (model) => run(host, model, request, signal));

async function* run(
  host: EngineHost,
  model: DiffusionModel,
  { recipe, timesteps: asked }: LookRequest,
  signal: AbortSignal,
): AsyncGenerator<LookEvent, void> {
  const { schedule } = model;
  const timesteps = asked ?? spreadTimesteps(DEFAULT.tMin, DEFAULT.tMax, DEFAULT.looks);
  const wrong = timesteps.find((t) => !Number.isInteger(t) || t < 0 || t >= schedule.numTrainTimesteps);
  if (wrong !== undefined || timesteps.length === 0) {
    const range = `whole numbers from 0 to ${schedule.numTrainTimesteps - 1}`;
    throw new AppError('BAD_REQUEST', `noise levels are ${range}, not ${wrong ?? 'none'}`);
  }
  yield { kind: 'stage', name: 'encode' };
  const photo = await host.readImage(recipe.photo.id);
  signal.throwIfAborted();
  const latent = await model.encode(toTensor(await cropSquare(photo, recipe.square, model.size)));
  const readers = [
    async () => ({ text: recipe.sourcePrompt, reads: model }),
    ...(recipe.targetPrompt ? [() => targetBranch(host, model, recipe)] : []),
  ];
  const looked: PromptAttention[] = [];
  for (const [i, reader] of readers.entries()) {
    const { text, reads } = await reader();
    const words = attendToWords({
      attend: reads.attend,
      latent,
      context: await reads.embed(text),
      prompt: reads.tokenizer.encode(text),
      schedule,
      timesteps,
      seed: recipe.seed,
    });
    for (;;) {
      signal.throwIfAborted();
      const next = await words.next();
      if (next.done) {
        looked.push({ text, words: next.value });
        break;
      }
      const fraction = (i + next.value / timesteps.length) / readers.length;
      yield { kind: 'stage', name: 'look', fraction };
    }
  }
  yield { kind: 'result', value: { source: looked[0]!, target: looked[1] ?? null } };
}
