import { expect, test } from 'vitest';
import { amend, bail, begin, commit, end, newHistory, redo, undo, update } from './history';

const at = (n: number) => {
  let history = newHistory(0);
  for (let i = 1; i <= n; i++) history = commit(history, `edit ${i}`, i);
  return history;
};

test('undo and redo walk the same states and labels both ways', () => {
  let history = undo(undo(at(3)));
  expect(history.present).toBe(1);
  expect(history.future.map(({ label }) => label)).toEqual(['edit 2', 'edit 3']);
  history = redo(redo(history));
  expect(history).toEqual(at(3));
  expect(redo(history)).toEqual(history);
  expect(undo(newHistory(5)).present).toBe(5);
});

test('a new edit forgets the undone ones', () => {
  const history = commit(undo(at(2)), 'other', 9);
  expect([history.present, history.future]).toEqual([9, []]);
  expect(undo(history).present).toBe(1);
});

test('a gesture is one entry, however many updates it has', () => {
  let history = begin(at(1), 'drag');
  for (const n of [5, 6, 7]) history = update(history, n);
  history = end(history);
  expect(history.past.map(({ label }) => label)).toEqual(['edit 1', 'drag']);
  expect(undo(history).present).toBe(1);
});

test('a gesture that changed nothing leaves no entry, and a dropped one no trace', () => {
  expect(end(begin(at(1), 'click'))).toEqual(at(1));
  expect(bail(update(begin(at(1), 'drag'), 8))).toEqual(at(1));
});

test('an edit in the middle of a gesture closes it first', () => {
  const history = commit(update(begin(at(1), 'typing'), 2), 'click', 3);
  expect(history.past.map(({ label, state }) => [label, state])).toEqual([
    ['edit 1', 0],
    ['typing', 1],
    ['click', 2],
  ]);
});

test('undo in the middle of a gesture undoes the gesture', () => {
  const history = undo(update(begin(at(1), 'typing'), 2));
  expect(history.present).toBe(1);
  expect(redo(history).present).toBe(2);
});

test('what is amended survives undo and redo, and makes no entry', () => {
  const history = amend(undo(at(2)), (n) => n + 100);
  expect(history.present).toBe(101);
  expect(undo(history).present).toBe(100);
  expect(redo(history).present).toBe(102);
});

test('amending during a gesture that changed nothing leaves no entry', () => {
  let history = newHistory<{ n: number }>({ n: 0 });
  history = amend(begin(history, 'focus'), ({ n }) => ({ n: n + 1 }));
  expect(end(history).past).toEqual([]);
});

test('a hundred entries are kept', () => {
  const history = at(150);
  expect(history.past.length).toBe(100);
  expect(history.past[0]?.state).toBe(50);
});
