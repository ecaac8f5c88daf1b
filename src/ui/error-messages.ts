import type { ErrorCode } from '../util/errors';
import type { ActionId } from './actions';

export interface ErrorMessage {
  /** what happened, in plain words */
  readonly title: string;
  /** what is safe */
  readonly safe: string;
  /** what is told of it is in plain words and comes first, not among the details */
  readonly reason?: true;
  /** the one thing to do */
  readonly action: { readonly label: string; readonly run: ActionId };
}

const kept = 'Your photo, prompts and takes are safe.';
const retry = { label: 'Try again', run: 'retry' } as const;
const restart = { label: 'Restart the engine', run: 'restart-engine' } as const;
const another = { label: 'Open another photo', run: 'open-photo' } as const;
const report = { label: 'Copy report', run: 'copy-report' } as const;

/** A code without a row does not compile. 'UNEXPECTED' is everything that has no code: a bug of ours. */
export const errorMessages: Readonly<Record<ErrorCode | 'UNEXPECTED', ErrorMessage>> = {
  NO_WEBGPU: {
    title: 'This browser offers no graphics acceleration',
    safe: 'Edits run on the processor instead: slower, with the same result.',
    action: retry,
  },
  DEVICE_LOST: {
    title: 'The graphics card was reset by the system',
    safe: kept,
    action: retry,
  },
  OUT_OF_MEMORY: {
    title: 'There is not enough memory for this',
    safe: `${kept} Closing other tabs frees memory.`,
    action: retry,
  },
  WORKER_LOST: {
    title: 'The editing engine stopped and was started again',
    safe: kept,
    action: retry,
  },
  BAD_FILE: {
    title: 'This file cannot be read',
    reason: true,
    safe: 'Nothing was changed.',
    action: another,
  },
  BAD_IMAGE: {
    title: 'This picture cannot be opened',
    reason: true,
    safe: 'Nothing was changed. JPEG, PNG, WebP, AVIF and GIF work; HEIC has to be converted first.',
    action: another,
  },
  BAD_REQUEST: {
    title: 'This edit is missing something',
    safe: kept,
    action: retry,
  },
  TOO_BIG: {
    title: 'This is too large for the browser',
    reason: true,
    safe: 'Nothing was changed. A version with fewer pixels, or a smaller model, works. Where the graphics card has more memory, say so under Advanced.',
    action: another,
  },
  UNSUPPORTED_MODEL: {
    title: 'This does not go with the model',
    reason: true,
    safe: kept,
    action: report,
  },
  BAD_MODEL: {
    title: 'This model cannot be used',
    reason: true,
    safe: 'Nothing was copied; the model in use stays.',
    action: { label: 'Open another model', run: 'open-model' },
  },
  MISSING_WEIGHT: {
    title: 'The model is incomplete',
    safe: `${kept} Loading it again usually helps.`,
    action: restart,
  },
  STORAGE_FULL: {
    title: 'The browser has no room left to save',
    safe: 'What was saved before is safe. Deleting takes or freeing disk space makes room.',
    action: { label: 'Export the picture', run: 'export' },
  },
  NUMERIC: {
    title: 'The result contained invalid numbers',
    safe: `${kept} A smaller step size or less guidance helps.`,
    action: retry,
  },
  GRAPH: { title: 'The model could not be prepared', safe: kept, action: report },
  SHAPE: { title: 'The model and the picture do not fit together', safe: kept, action: report },
  NETWORK: {
    title: 'A part of the studio could not be loaded',
    safe: `${kept} Check the connection.`,
    action: retry,
  },
  UNEXPECTED: {
    title: 'Something went wrong that should not have',
    safe: kept,
    action: report,
  },
};
