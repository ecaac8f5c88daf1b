/** Edits of a document's concepts: (doc, args) → doc. */
import { putConcept } from './actions';
import type { Concept, ConceptPicture, Document, LearnedConcept } from './document';

/** Pictures of one concept; more add time and little else. */
export const maxPictures = 20;

/** Not learned yet: how and from what is the person's choice; a small update suits most. */
export const newConcept = (id: string, model: string, start: Partial<Concept> = {}): Concept => ({
  id,
  name: '',
  classWord: '',
  token: '',
  pictures: [],
  method: 'dreambooth-lora',
  preset: 'balanced',
  options: {},
  seed: 0,
  model,
  learned: null,
  checkpoints: [],
  unfinished: null,
  ...start,
});

/** A concept out of a file: ready for edits, with nothing to learn it again from. */
export const importedConcept = (id: string, learned: LearnedConcept): Concept =>
  newConcept(id, learned.model, {
    name: learned.name,
    classWord: learned.classWord,
    token: learned.token,
    method: learned.method,
    learned,
  });

export const conceptOf = (doc: Document, id: string | null): Concept | null =>
  doc.concepts.find((concept) => concept.id === id) ?? null;

/** A concept that is gone stays gone. */
export function changeConcept(
  doc: Document,
  id: string,
  change: (concept: Concept) => Partial<Concept>,
): Document {
  const concept = conceptOf(doc, id);
  return concept ? putConcept(doc, { ...concept, ...change(concept) }) : doc;
}

/** Each picture once, and no more than there is room for. */
export function addPictures(concept: Concept, added: readonly ConceptPicture[]): Partial<Concept> {
  const all = new Map([...concept.pictures, ...added].map((picture) => [picture.image.id, picture]));
  return { pictures: [...all.values()].slice(0, maxPictures) };
}

/** Called so from now on, in prompts too: what was learned has words of its own. */
export const renameConcept = ({ learned }: Concept, name: string): Partial<Concept> => ({
  name,
  learned: learned && { ...learned, name },
});

/** What was learned from pictures keeps the word that it was learned with; of an imported one the file may not tell. */
export const setClassWord = ({ learned, pictures }: Concept, classWord: string): Partial<Concept> => ({
  classWord,
  learned: learned && pictures.length === 0 ? { ...learned, classWord } : learned,
});
