import { reportError } from './errors';
import { announce, session, setSession } from './session-store';

/** Shows what is going on, and keeps a second file from being opened meanwhile. */
export async function busy(what: string, work: () => Promise<void>): Promise<void> {
  if (session().busy) return;
  setSession({ busy: what });
  announce(what);
  await work().catch(reportError);
  setSession({ busy: null });
  // where nothing came of it nothing else was said
  if (session().status === what) announce('');
}
