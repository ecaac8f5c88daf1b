import { expect, test } from 'vitest';
import { type Document, emptyDocument } from '../document/document';
import { type Session, sessionStore, type Tool } from '../state/session-store';
import { sceneOf, squareLook } from './scene';

const photo = { id: 'aa'.repeat(32), name: 'cat.jpg', width: 400, height: 300 };
const doc: Document = { ...emptyDocument, photo, square: { x: 50, y: 0, size: 300 } };
const look = (tool: Tool, over: Partial<Session> = {}) => {
  const session = { ...sessionStore.getState(), tool, ...over };
  return squareLook(doc, sceneOf(doc, session), session);
};

test('the edit square has handles where a tool moves it, and is a hairline where it only bounds what is done', () => {
  expect((['move', 'square', 'brush', 'eraser', 'hand'] as const).map((tool) => look(tool))).toEqual([
    'handles',
    'handles',
    'hairline',
    'hairline',
    'hairline',
  ]);
});

test('the photo as it was is shown without the edit square', () => {
  expect(look('move', { holdOriginal: true })).toBe('none');
  expect(
    squareLook({ ...doc, square: null }, sceneOf(doc, sessionStore.getState()), sessionStore.getState()),
  ).toBe('none');
});
