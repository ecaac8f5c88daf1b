import { recipeOf } from '../../src/document/actions';
import { type Document, emptyDocument, type ImageRef } from '../../src/document/document';
import { defaultSquare } from '../../src/document/square';
import { createLocalEngine } from '../../src/engine/engine';
import type { EditEvent, EditResult } from '../../src/engine/events';
import type { EngineHost } from '../../src/engine/host';
import { checkSquare } from '../../src/formats/crop';
import { AppError } from '../../src/util/errors';
import type { Pixels } from '../../src/util/pixels';
import { promptDiff } from '../../src/util/prompt-diff';

export interface EditInput {
  readonly photo: Pixels;
  readonly photoName: string;
  /** painted, over the whole photo; white = edit */
  readonly mask: Pixels | null;
  readonly model: string;
  readonly edit: Pick<
    Document,
    'sourcePrompt' | 'targetPrompt' | 'subject' | 'method' | 'seed' | 'options' | 'square'
  >;
}

export interface EditOutput {
  readonly result: EditResult;
  readonly edited: Pixels;
  readonly reconstruction: Pixels;
  readonly mask: Pixels | null;
}

/**
 * Run an edit exactly as the page would: the same document, recipe and engine. DOM-free: runs in Node and, for the
 * browser backends, in a page.
 *
 * @param watch  sees every event, e.g. to keep previews
 */
export async function runEdit(
  host: EngineHost,
  input: EditInput,
  watch: (event: EditEvent) => void = () => {},
): Promise<EditOutput> {
  const engine = createLocalEngine(host);
  try {
    const photo = await host.writeImage(input.photo, input.photoName);
    const mask: ImageRef | null = input.mask && (await host.writeImage(input.mask, 'mask'));
    const square = input.edit.square ?? defaultSquare(photo);
    checkSquare(input.photo, square);
    const doc: Document = { ...emptyDocument, ...input.edit, photo, mask, square, model: input.model };
    const { methods } = await engine.info(doc.model);
    const method = methods.find(({ name }) => name === doc.method);
    if (!method) {
      throw new AppError(
        'BAD_REQUEST',
        `there is no edit "${doc.method}"; try ${methods.map((m) => m.name).join(', ')}`,
      );
    }
    const unknown = Object.keys(doc.options).find((name) => !(name in method.defaults));
    if (unknown) throw new AppError('BAD_REQUEST', `${doc.method} has no option "${unknown}"`);
    const subject = doc.subject ?? promptDiff(doc.sourcePrompt, doc.targetPrompt).subject;
    const recipe = recipeOf(doc, photo, method.defaults, subject);
    for await (const event of engine.edit({ recipe }, new AbortController().signal)) {
      watch(event);
      if (event.kind !== 'result') continue;
      const result = event.value;
      return {
        result,
        edited: await host.readImage(result.square.id),
        reconstruction: await host.readImage(result.reconstruction.id),
        mask: result.mask && (await host.readImage(result.mask.id)),
      };
    }
    throw new Error('the engine ended without a result');
  } finally {
    await engine.dispose();
  }
}
