import { plannedSteps, tokenFor } from '../../src/document/concepts';
import { createLocalEngine } from '../../src/engine/engine';
import type { LearnEvent, LearnRequest, LearnResult } from '../../src/engine/events';
import type { EngineHost } from '../../src/engine/host';
import { AppError } from '../../src/util/errors';
import { type NamedPicture, storedPictures } from '../stored-pictures';
import type { LearnArguments } from './arguments';

export interface LearnInput
  extends Pick<LearnArguments, 'classWord' | 'method' | 'name' | 'token' | 'preset' | 'options' | 'seed'> {
  readonly pictures: readonly NamedPicture[];
  readonly model: string;
  /** a checkpoint as it was written */
  readonly resume: Uint8Array<ArrayBuffer> | null;
}

/** What the command line shows and keeps; a checkpoint comes with its bytes. */
export type LearnNews =
  | Exclude<LearnEvent, { kind: 'checkpoint' }>
  | { readonly kind: 'plan'; readonly pictures: number; readonly perPicture: number; readonly steps: number }
  | { readonly kind: 'checkpoint'; readonly step: number; readonly bytes: Uint8Array };

export interface LearnOutput {
  readonly result: LearnResult;
  /** the concept file */
  readonly file: Uint8Array;
}

/**
 * Learn a concept exactly as the page would: the same presets, request and engine. DOM-free: runs in Node and, for the
 * browser backends, in a page.
 *
 * @throws AbortError when `signal` aborted, after a last checkpoint
 */
export async function runLearn(
  host: EngineHost,
  input: LearnInput,
  watch: (news: LearnNews) => void,
  signal: AbortSignal,
): Promise<LearnOutput> {
  const engine = createLocalEngine(host);
  try {
    const request = await requestOf(await engine.info(input.model), host, input, watch);
    for await (const event of engine.learn(request, signal)) {
      if (event.kind === 'result') {
        return { result: event.value, file: await host.readBytes(event.value.learned.id) };
      }
      if (event.kind !== 'checkpoint') watch(event);
      else {
        const { step, state } = event.checkpoint;
        watch({ kind: 'checkpoint', step, bytes: await host.readBytes(state) });
      }
    }
    throw new Error('the engine ended without a result');
  } finally {
    await engine.dispose();
  }
}

async function requestOf(
  { learnMethods, model: info }: Awaited<ReturnType<ReturnType<typeof createLocalEngine>['info']>>,
  host: EngineHost,
  input: LearnInput,
  watch: (news: LearnNews) => void,
): Promise<LearnRequest> {
  const { method: name, model, classWord, seed } = input;
  const method = learnMethods.find((row) => row.name === name);
  if (!method) {
    const known = learnMethods.map((row) => row.name).join(', ');
    throw new AppError('BAD_REQUEST', `there is no method "${name}"; try ${known}`);
  }
  const unknown = Object.keys(input.options).find((option) => !(option in method.defaults));
  if (unknown) throw new AppError('BAD_REQUEST', `${name} has no option "${unknown}"`);
  const pictures = await storedPictures(host, input.pictures);
  const preset = method.presets[input.preset];
  const planned = plannedSteps(preset.steps!, pictures.length);
  const options: Record<string, number> = { ...preset, steps: planned.steps, ...input.options };
  const steps = options.steps!;
  watch({ kind: 'plan', pictures: pictures.length, perPicture: steps / pictures.length, steps });
  return {
    model,
    name: input.name,
    token: input.token ?? tokenFor(input.name, options.vectors!, info.rareWord),
    classWord,
    pictures,
    method: name,
    options,
    seed,
    resume: input.resume && (await host.writeBytes(input.resume)),
  };
}
