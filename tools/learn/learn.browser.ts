import type { BrowserFunction } from '../harness/protocol';
import { httpHost, type InBrowser } from '../http-host';
import { type LearnInput, type LearnNews, type LearnOutput, runLearn } from './run';

/** null: cancel the run in progress */
type BrowserInput = (InBrowser & { readonly learn: LearnInput }) | null;

let abort = new AbortController();

/** Learning in a browser's worker on a chosen backend. */
export const run: BrowserFunction<BrowserInput, LearnNews, LearnOutput | null> = async (input, emit) => {
  if (!input) {
    abort.abort(new DOMException('cancelled', 'AbortError'));
    return null;
  }
  abort = new AbortController();
  const { learn, ...where } = input;
  return runLearn(httpHost(where), learn, emit, abort.signal);
};
