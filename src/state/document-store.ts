import { createStore } from 'zustand/vanilla';
import { type Document, emptyDocument } from '../document/document';
import { mutex } from '../util/async';
import * as history from './history';
import { announce } from './session-store';

/** The project, undoable and saved. Read `present`; change it through the functions below. */
export const documentStore = createStore<history.History<Document>>(() => history.newHistory(emptyDocument));

export const currentDocument = (): Document => documentStore.getState().present;

type Edit = (doc: Document) => Document;
const change = (next: (h: history.History<Document>) => history.History<Document>): void =>
  documentStore.setState(next);

/**
 * Some edits must store pixels before they can be committed. They run through here, and so does what has to come after
 * them: undo, redo, clearing, running.
 */
export const inOrder = mutex();

/** One undoable edit. */
export const commit = (label: string, edit: Edit): void =>
  change((h) => history.commit(h, label, edit(h.present)));

/** A gesture: begin, any number of updates, then end (one undo step) or bail (as if it never was). */
export const begin = (label: string): void => change((h) => history.begin(h, label));
export const update = (edit: Edit): void => change((h) => history.update(h, edit(h.present)));
export const end = (): void => change(history.end);
export const bail = (): void => change(history.bail);

/** What is undone may be out of sight: it is said. */
export function undo(): void {
  end();
  const undone = documentStore.getState().past.at(-1);
  change(history.undo);
  if (undone) announce(`Undone: ${undone.label}.`);
}
export function redo(): void {
  end();
  const [redone] = documentStore.getState().future;
  change(history.redo);
  if (redone) announce(`Redone: ${redone.label}.`);
}

/** What is not an edit, such as a take arriving: it survives undo and makes no undo step. */
export const amend = (edit: Edit): void => change((h) => history.amend(h, edit));

/** Another project: history starts over. */
export const openDocument = (doc: Document): void => change(() => history.newHistory(doc));
