import { AppError, type ErrorCode } from '../util/errors';
import { createLogger } from '../util/log';
import { notify } from './session-store';

const log = createLogger('studio');

/** After these the engine cannot go on. */
export const leavesRuins: ReadonlySet<ErrorCode> = new Set(['DEVICE_LOST', 'OUT_OF_MEMORY']);

/** True for what a person asked for: not an error. */
export const isAbort = (error: unknown): boolean =>
  error instanceof DOMException && error.name === 'AbortError';

/** Tell the person about a failure: expected ones by code, everything else as a bug of ours. */
export function reportError(error: unknown): undefined {
  if (isAbort(error)) return;
  log.error(error);
  if (error instanceof AppError) notify(error.code, error.message);
  else notify('UNEXPECTED', error instanceof Error ? error.message : String(error));
}
