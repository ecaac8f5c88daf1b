import { expect, test } from 'vitest';
import { emptyDocument } from '../document/document';
import { busy } from './busy';
import { commit, openDocument, redo, undo } from './document-store';
import { announce, session } from './session-store';

test('what undo and redo change is said, and nothing where there is nothing', () => {
  openDocument(emptyDocument);
  announce('');
  undo();
  redo();
  expect(session().status).toBe('');
  commit('Delete take', (doc) => ({ ...doc, seed: 1 }));
  undo();
  expect(session().status).toBe('Undone: Delete take.');
  redo();
  expect(session().status).toBe('Redone: Delete take.');
});

test('work that came to nothing is no longer said to go on; what it said last stays', async () => {
  await busy('Opening photo…', () => Promise.reject(new DOMException('thought better of it', 'AbortError')));
  expect(session()).toMatchObject({ busy: null, status: '' });
  await busy('Opening photo…', async () => announce('cat.jpg, 10 × 10.'));
  expect(session().status).toBe('cat.jpg, 10 × 10.');
});
