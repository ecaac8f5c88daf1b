/** Models: opened from a folder, chosen, removed. */
import { setModel } from '../document/actions';
import { emptyDocument } from '../document/document';
import type { StoredModel } from '../storage/models';
import type { PickedFolder } from '../storage/picked-folder';
import { requestPersistence } from '../storage/quota';
import { AppError } from '../util/errors';
import { commit, currentDocument } from './document-store';
import { changeModel, engineStarted } from './engine';
import { isAbort, reportError } from './errors';
import { announce, type CopyingModel, isIdle, notify, session, setSession } from './session-store';
import { engine, files } from './workers';

/** The bundled model, as a list shows it. */
export const starter = { id: emptyDocument.model, label: 'Starter' } as const;

/** What is imported already. Never rejects. */
export async function readModels(): Promise<void> {
  try {
    setSession({ models: await files.api.models() });
  } catch (error) {
    reportError(error);
  }
}

export const chooseModel = (id: string): void => commit('Choose model', (doc) => setModel(doc, id));

let copying: AbortController | null = null;

/**
 * Open a model's folder: the engine checks it, then it is copied into storage and chosen. Never rejects.
 *
 * @param read  lists the folder, which may take a moment
 */
export async function openModelFolder(read: () => PickedFolder | Promise<PickedFolder>): Promise<void> {
  if (copying) return notify(null, 'A model is being opened. Wait for it, or cancel it.');
  const running = new AbortController();
  copying = running;
  const show = (now: Partial<CopyingModel>): void =>
    setSession({ copying: { label: 'model', bytes: 0, total: 0, secondsLeft: null, ...now } });
  show({});
  try {
    const folder = await read();
    show({ label: folder.name });
    announce(`Checking ${folder.name}…`);
    await engineStarted();
    const { model, paths } = await engine.api.checkModel(folder);
    running.signal.throwIfAborted();
    const opened = await copy(folder, paths, running.signal, (now) => show({ label: model.label, ...now }));
    await readModels();
    // gigabytes are worth keeping
    void requestPersistence().catch(reportError);
    // the one that this project was missing
    if (currentDocument().model === opened.id) await changeModel(opened.id);
    else if (isIdle(session())) chooseModel(opened.id);
    else notify(null, `${opened.label} is in the list of models now.`);
  } catch (error) {
    if (isAbort(error)) announce('Cancelled. Nothing was kept of the model.');
    else reportError(asBadModel(error));
  }
  copying = null;
  setSession({ copying: null });
}

async function copy(
  folder: PickedFolder,
  paths: readonly string[],
  signal: AbortSignal,
  show: (now: Partial<CopyingModel>) => void,
): Promise<StoredModel> {
  const started = performance.now();
  let opened: StoredModel | null = null;
  for await (const event of files.run((api) => api.importModel(folder, paths), signal)) {
    if (event.kind === 'result') {
      opened = event.value;
      announce(event.known ? `${opened.label} was here already.` : `${opened.label} is open.`);
      continue;
    }
    const { bytes, total } = event;
    const spent = (performance.now() - started) / 1000;
    // of the first second nothing can be told
    show({ bytes, total, secondsLeft: spent > 1 ? (spent * (total - bytes)) / bytes : null });
  }
  if (!opened) throw new DOMException('cancelled', 'AbortError');
  return opened;
}

/** What is wrong with a folder says nothing of the model in use. A full disk or a lost engine is what it is. */
function asBadModel(error: unknown): unknown {
  if (!(error instanceof AppError)) return error;
  if (error.code === 'STORAGE_FULL' || error.code === 'WORKER_LOST') return error;
  return new AppError('BAD_MODEL', error.message, error.details);
}

export const cancelOpening = (): void =>
  copying?.abort(new DOMException('cancelled by the person', 'AbortError'));

/** Delete an imported model; the folder it came from stays where it is. Never rejects. */
export async function removeModel({ id, label }: StoredModel): Promise<void> {
  if (currentDocument().model === id) chooseModel(starter.id);
  try {
    await files.api.removeModel(id);
    announce(`${label} is removed.`);
  } catch (error) {
    reportError(error);
  }
  await readModels();
}
