import { useStore } from 'zustand';
import type { Document } from '../document/document';
import { documentStore } from './document-store';
import { type Session, sessionStore } from './session-store';
import { type Settings, settingsStore } from './settings-store';

/** The only React in this folder. */
export const useDocument = <T>(select: (doc: Document) => T): T =>
  useStore(documentStore, ({ present }) => select(present));
export const useSession = <T>(select: (session: Session) => T): T => useStore(sessionStore, select);
export const useSettings = <T>(select: (settings: Settings) => T): T => useStore(settingsStore, select);
/** Label of what undo and redo would do; null when there is nothing. */
export const useUndoLabel = (): string | null =>
  useStore(documentStore, ({ past, mark }) => mark?.label ?? past.at(-1)?.label ?? null);
export const useRedoLabel = (): string | null =>
  useStore(documentStore, ({ future }) => future[0]?.label ?? null);
