import type { BrowserFunction } from '../harness/protocol';
import { httpHost, type InBrowser } from '../http-host';
import { type EditInput, type EditNews, type EditOutput, runEdit } from './run';

interface BrowserInput extends InBrowser {
  readonly edit: EditInput;
}

/** An edit in a browser's worker on a chosen backend. */
export const run: BrowserFunction<BrowserInput, EditNews, EditOutput> = async ({ edit, ...where }, emit) =>
  runEdit(httpHost(where), edit, emit);
