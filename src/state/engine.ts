/** The engine: started, started again, and what it says of the model in use. */
import { emptyDocument } from '../document/document';
import { AppError } from '../util/errors';
import { currentDocument, documentStore } from './document-store';
import { reportError } from './errors';
import { isIdle, notify, type Session, session, sessionStore, setSession } from './session-store';
import { type Settings, setSettings, settings } from './settings-store';
import { engine } from './workers';

/** Start the engine (or let it start again after a loss) and learn what it can do. */
export async function startEngine(): Promise<void> {
  setSession({ engine: session().info ? 'restarting' : 'starting' });
  try {
    await readInfo();
    setSession({ engine: 'ready' });
    engine.lost.addEventListener('abort', () => void startEngine(), { once: true });
  } catch (error) {
    if (cannotStart(error)) {
      notify(
        null,
        `What was chosen to run on does not work here (${error.message}): it is chosen automatically.`,
      );
      setSettings({ backend: 'auto' });
      engine.terminate();
      return startEngine();
    }
    setSession({ engine: 'failed' });
    reportError(error);
  }
}

/** Another backend may start. */
const cannotStart = (error: unknown): error is AppError =>
  error instanceof AppError &&
  settings().backend !== 'auto' &&
  error.code !== 'NETWORK' &&
  error.code !== 'WORKER_LOST';

/** What the engine says of the document's model, until it is still the document's when the answer comes. */
async function readInfo(): Promise<void> {
  for (;;) {
    const { model } = currentDocument();
    const found = await infoOf(model);
    if (currentDocument().model === model) return setSession(found);
  }
}

async function infoOf(model: string): Promise<Pick<Session, 'info' | 'noModel'>> {
  const { backend, gpuMemory } = settings();
  const on = { ...(backend !== 'auto' && { backend }), gpuMemory: gpuMemory * 2 ** 30 };
  const ask = (id: string) => engine.api.info(id, on);
  try {
    return { info: await ask(model), noModel: null };
  } catch (error) {
    const isModel = error instanceof AppError && ['UNSUPPORTED_MODEL', 'BAD_FILE'].includes(error.code);
    if (!isModel || model === emptyDocument.model) throw error;
    // forms and help need some model's words until another is chosen
    return { info: await ask(emptyDocument.model), noModel };
  }
}

const noModel = 'The model of this project is not in this browser. Open its folder again, or choose another.';

/** Follow the document's model: chosen, undone, or brought by a recipe. */
export function followModel(): void {
  documentStore.subscribe(({ present: { model } }, { present: before }) => {
    // one that is starting looks for itself
    if (model !== before.model && session().engine === 'ready') void changeModel(model).catch(reportError);
  });
}

/** Ask about the document's model again, and free the one before. */
export async function changeModel(model: string): Promise<void> {
  await readInfo();
  if (isIdle(session())) await engine.api.release(model);
}

/** End the engine in the middle of whatever it does; it starts again at once. */
export function restartEngine(): void {
  if (session().engine === 'ready') engine.terminate();
  else void startEngine();
}

/** Run on another part of this computer, or count on more of it, from now on. Nothing may be running. */
export function chooseHardware(choice: Partial<Pick<Settings, 'backend' | 'gpuMemory'>>): void {
  setSettings(choice);
  restartEngine();
}

/** Settles when the engine that is starting has answered, or failed to. */
export const engineStarted = (): Promise<void> =>
  new Promise((resolve) => {
    const unsubscribe = sessionStore.subscribe(check);
    function check(): void {
      if (session().engine === 'starting' || session().engine === 'restarting') return;
      unsubscribe();
      resolve();
    }
    check();
  });
