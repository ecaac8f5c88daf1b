import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import type { Document } from '../document/document';
import { memoizePromise } from '../util/async';
import { storageFull } from './quota';

/** What a list of projects shows, without reading the projects. */
export interface ProjectEntry {
  readonly id: string;
  readonly name: string;
  /** ms since the epoch */
  readonly updated: number;
}

interface Schema extends DBSchema {
  documents: { key: string; value: Document };
  index: { key: string; value: ProjectEntry; indexes: { updated: number } };
}

export interface ProjectDatabase {
  /** Writes document and entry together or not at all. @throws AppError STORAGE_FULL */
  save(entry: ProjectEntry, document: Document): Promise<void>;
  /** As stored, by whatever version of the program: pass it through `restore`. null when there is none */
  load(id: string): Promise<unknown>;
  /** Latest first. */
  list(): Promise<ProjectEntry[]>;
  delete(id: string): Promise<void>;
  /** Every stored document, e.g. to find which blobs are reachable. */
  documents(): Promise<readonly unknown[]>;
  close(): Promise<void>;
}

const VERSION = 1;

const open = (name: string): Promise<IDBPDatabase<Schema>> =>
  openDB<Schema>(name, VERSION, {
    upgrade(db) {
      db.createObjectStore('documents');
      db.createObjectStore('index', { keyPath: 'id' }).createIndex('updated', 'updated');
    },
    // A newer version of the program in another tab wants to upgrade: do not stand in its way.
    blocking: (_current, _next, event) => (event.target as IDBDatabase).close(),
  });

/** Autosaved projects in IndexedDB. Documents are small: pixels are blob ids. */
export function projectDatabase(name = 'dreamsteerer'): ProjectDatabase {
  const database = memoizePromise(open);
  return {
    async save(entry, document) {
      try {
        const tx = (await database(name)).transaction(['documents', 'index'], 'readwrite');
        await Promise.all([
          tx.objectStore('documents').put(document, entry.id),
          tx.objectStore('index').put(entry),
          tx.done,
        ]);
      } catch (error) {
        throw await storageFull(error, JSON.stringify(document).length);
      }
    },
    load: async (id) => (await (await database(name)).get('documents', id)) ?? null,
    list: async () => (await (await database(name)).getAllFromIndex('index', 'updated')).reverse(),
    async delete(id) {
      const tx = (await database(name)).transaction(['documents', 'index'], 'readwrite');
      await Promise.all([
        tx.objectStore('documents').delete(id),
        tx.objectStore('index').delete(id),
        tx.done,
      ]);
    },
    documents: async () => (await database(name)).getAll('documents'),
    close: async () => (await database(name)).close(),
  };
}
