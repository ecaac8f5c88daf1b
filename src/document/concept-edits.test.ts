import { expect, test } from 'vitest';
import { putConcept } from './actions';
import {
  addPictures,
  changeConcept,
  conceptOf,
  importedConcept,
  maxPictures,
  newConcept,
  renameConcept,
  setClassWord,
} from './concept-edits';
import { emptyDocument, type LearnedConcept } from './document';
import { restore } from './migrations';

const picture = (n: number) => ({
  image: { id: n.toString(16).padStart(64, '0'), name: `${n}.jpg`, width: 10, height: 10 },
  square: { x: 0, y: 0, size: 10 },
});
const learned: LearnedConcept = {
  id: 'ab'.repeat(32),
  name: 'Miso',
  token: '<miso>',
  classWord: '',
  subject: '<miso>',
  method: 'lora',
  options: {},
  steps: 0,
  pictures: [],
  seed: 0,
  model: 'starter',
  baseHash: null,
};

test('a concept keeps each picture once, and twenty at most', () => {
  const concept = newConcept('one', 'starter', { pictures: [picture(0), picture(1)] });
  const added = addPictures(concept, [picture(1), picture(2)]).pictures!;
  expect(added.map(({ image }) => image.name)).toEqual(['0.jpg', '1.jpg', '2.jpg']);
  const many = addPictures(
    concept,
    Array.from({ length: 30 }, (_, n) => picture(n)),
  ).pictures!;
  expect(many).toHaveLength(maxPictures);
});

test('changes reach the concept that is meant and survive being stored; one that is gone stays gone', () => {
  const two = ['one', 'two'].reduce((doc, id) => putConcept(doc, newConcept(id, 'starter')), emptyDocument);
  const doc = changeConcept(two, 'two', (it) => renameConcept(it, 'Miso'));
  expect(doc.concepts.map(({ name }) => name)).toEqual(['', 'Miso']);
  expect(conceptOf(doc, 'two')?.learned).toBeNull();
  expect(restore(JSON.parse(JSON.stringify(doc)))).toEqual(doc);
  expect(changeConcept(doc, 'three', () => ({ name: 'no' }))).toBe(doc);
});

test('an imported concept can be told what it is; one that was learned keeps the word it was learned with', () => {
  const imported = importedConcept('one', learned);
  expect(setClassWord(imported, 'cat').learned?.classWord).toBe('cat');
  expect(setClassWord({ ...imported, pictures: [picture(0)] }, 'cat').learned?.classWord).toBe('');
  expect(renameConcept(imported, 'Mimi').learned?.name).toBe('Mimi');
});
