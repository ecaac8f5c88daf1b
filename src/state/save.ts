import type { Document } from '../document/document';
import { restore } from '../document/migrations';
import { projectDatabase } from '../storage/db';
import { reachableBlobs } from '../storage/gc';
import { requestPersistence } from '../storage/quota';
import { debounce } from '../util/async';
import { currentDocument, documentStore, openDocument } from './document-store';
import { reportError } from './errors';
import { setSession } from './session-store';
import { files } from './workers';

/** There is one project for now, under this id. */
const project = 'current';
const database = projectDatabase();

/** Bring back what was open, then save every change half a second after the last. */
export async function startSaving(): Promise<void> {
  try {
    const stored = await database.load(project);
    if (stored !== null) openDocument(restore(stored));
  } catch (error) {
    // better an empty studio that says so than none
    reportError(error);
  }
  void freePixels();
  let saved = currentDocument();
  const save = debounce(async () => {
    const doc = currentDocument();
    try {
      await database.save({ id: project, name: doc.photo?.name ?? 'Untitled', updated: Date.now() }, doc);
      // the first finished edit or concept is work worth keeping
      if (!hasResults(saved) && hasResults(doc)) await requestPersistence();
      saved = doc;
      setSession({ saved: 'saved' });
    } catch (error) {
      setSession({ saved: 'failed' });
      reportError(error);
    }
  }, 500);
  documentStore.subscribe(({ present }, before) => {
    if (present === before.present) return;
    setSession({ saved: 'saving' });
    save();
  });
  addEventListener('pagehide', save.flush);
  document.addEventListener('visibilitychange', () => document.hidden && save.flush());
}

const hasResults = ({ takes, concepts }: Document): boolean =>
  takes.length > 0 || concepts.some(({ learned }) => learned !== null);

/** Delete pictures that no saved project reaches, unless another tab is open, whose undo may still reach them. */
async function freePixels(): Promise<void> {
  const lock = 'pixels';
  try {
    await navigator.locks.request(lock, { ifAvailable: true }, async (alone) => {
      if (!alone) return;
      const reachable = reachableBlobs([await database.documents(), currentDocument()]);
      await files.api.collectGarbage([...reachable]);
    });
  } catch (error) {
    reportError(error);
  }
  // held until this tab is closed
  void navigator.locks.request(lock, { mode: 'shared' }, () => new Promise(() => {}));
}
