import type { DiffusionModel } from '../diffusion/model';
import type { EditStep } from '../editing/edit-step';
import { cropSquare, squareIn } from '../formats/crop';
import { resize } from '../formats/resize';
import { fromMask, fromTensor, toMask, toTensor } from '../formats/tensor';
import { AppError } from '../util/errors';
import { isFiniteArray, type NdArray } from '../util/nd-array';
import type { Pixels } from '../util/pixels';
import { cutPrompts, editBranches } from './edit-branches';
import { editSteps, methodOf } from './edit-steps';
import type { EditEvent, EditRequest } from './events';
import { FrameRecorder, startOf } from './frames';
import type { EngineHost } from './host';
import { inBestPrecision, type LoadModel } from './precision';
import { PreviewBudget } from './preview-budget';

/**
 * One edit from request to stored result. When the signal aborts, it ends at the next network call: with the latest
 * whole step as its result, or by throwing if there is none yet.
 *
 * @param load  the model in the precision asked for; called again in float32 when half precision overflows
 * @throws AppError BAD_REQUEST for a recipe that cannot run; NUMERIC when float32 overflows too
 */
export async function* editJob(
  host: EngineHost,
  load: LoadModel,
  request: EditRequest,
  signal: AbortSignal,
): AsyncGenerator<EditEvent, void> {
  const { steps } = methodOf(request.recipe);
  yield* inBestPrecision(load, request.recipe.model, 'running', null, (model, loadMs) =>
    run(host, model, request, steps, signal, loadMs),
  );
}

async function* run(
  host: EngineHost,
  model: DiffusionModel,
  { recipe, record = {} }: EditRequest,
  asked: number,
  signal: AbortSignal,
  loadMs: number,
): AsyncGenerator<EditEvent, void> {
  const timings: Record<string, number> = { load: loadMs };
  const timed = async <T>(name: string, work: Promise<T>): Promise<T> => {
    const from = performance.now();
    const value = await work;
    timings[name] = (timings[name] ?? 0) + performance.now() - from;
    signal.throwIfAborted();
    return value;
  };

  yield { kind: 'stage', name: 'encode' };
  const photo = await host.readImage(recipe.photo.id);
  const picture = toTensor(await cropSquare(photo, recipe.square, model.size));
  const source = finite('the encoded photo', await timed('encode', model.encode(picture)));
  const branches = await timed('text', editBranches(host, model, recipe, methodOf(recipe).method));
  yield* cutPrompts(
    { text: recipe.sourcePrompt, reads: model },
    { text: branches.targetPrompt, reads: branches.personal },
  );
  const reconstructed = finite('the decoded photo', await timed('decode', model.decode(source)));
  const reconstruction = await host.writeImage(fromTensor(reconstructed), 'reconstruction');
  model.latentRgb.fit(source, picture);
  const paintedMask = recipe.mask ? await latentMask(host, recipe.mask, recipe, model) : null;
  const branch = recipe.from && (await startOf(host, recipe, recipe.from, asked));
  const recorder = new FrameRecorder(recipe, record);
  if (branch) await recorder.adopt(branch.frames, branch.start.index);

  yield { kind: 'stage', name: 'edit' };
  const steps = editSteps(
    {
      model,
      ...branches,
      recipe,
      source,
      paintedMask,
      ...(branch && { start: branch.start }),
    },
    () => signal.aborted,
  );
  const budget = new PreviewBudget(timings.decode!);
  const durations: number[] = [];
  let last: EditStep | null = null;
  for (;;) {
    const from = performance.now();
    const next = await steps.next();
    if (next.done) break;
    const spent = performance.now() - from;
    if ('stage' in next.value) {
      const { stage, fraction } = next.value;
      timings[stage] = (timings[stage] ?? 0) + spent;
      yield { kind: 'stage', name: stage, fraction };
      continue;
    }
    last = next.value;
    durations.push(spent);
    budget.step(spent);
    recorder.add(last);
    const { index, total, directionRms, timestep } = last;
    yield { kind: 'step', index, total, metrics: { directionRms, timestep } };
    yield { kind: 'preview', index, ...(await look(model, last.latent, budget)) };
  }

  yield { kind: 'stage', name: 'decode' };
  if (!last) throw signal.reason;
  const done = last.index + 1;
  const edited = fromTensor(finite('the decoded edit', await model.decode(last.latent)));
  const square = await host.writeImage(edited, 'edit');
  const mask =
    last.mask && (await host.writeImage(await resize(fromMask(last.mask), model.size, model.size), 'mask'));
  timings.edit = durations.reduce((a, b) => a + b, 0);
  timings.stepMedian = durations.toSorted((a, b) => a - b)[durations.length >> 1] ?? 0;
  timings.previewShare = budget.spent;
  const stopped = done < asked;
  const frames = await recorder.store(host);
  yield {
    kind: 'result',
    value: { recipe, square, reconstruction, mask, steps: done, stopped, frames, timings },
  };
}

/** A latent as a picture: decoded as often as the budget allows. */
async function look(
  model: DiffusionModel,
  latent: NdArray,
  budget: PreviewBudget,
): Promise<{ readonly quality: 'linear' | 'decoded'; readonly pixels: Pixels }> {
  const from = performance.now();
  if (budget.affordsDecode) {
    const pixels = fromTensor(await model.decode(latent));
    budget.decoded(performance.now() - from);
    return { quality: 'decoded', pixels };
  }
  const pixels = model.latentRgb.apply(latent);
  budget.preview(performance.now() - from);
  return { quality: 'linear', pixels };
}

/** @throws AppError NUMERIC, so that no black or torn picture is ever stored */
function finite(what: string, array: NdArray): NdArray {
  if (isFiniteArray(array)) return array;
  throw new AppError('NUMERIC', `${what} holds numbers that are not finite`);
}

/** A painted mask over the whole photo, at any resolution → [1,1,h,w] at latent resolution, averaged. */
async function latentMask(
  host: EngineHost,
  id: string,
  { square, photo }: EditRequest['recipe'],
  model: DiffusionModel,
): Promise<NdArray> {
  const [, , h, w] = model.latentShape;
  const mask = await host.readImage(id);
  const cut = await cropSquare(mask, squareIn(square, photo, mask), model.size);
  return toMask(await resize(cut, w, h, 'box'));
}
