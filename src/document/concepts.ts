/** Concepts of a document: how they are named, asked for in prompts and learned. */
import { AppError } from '../util/errors';
import { promptDiff, wordsIn } from '../util/prompt-diff';
import type { Concept, ConceptRef, Document, LearnedConcept, Recipe } from './document';

/**
 * The word that calls a concept up: 'Miso' → '<miso>', brackets keep it apart from ordinary words.
 *
 * @param vectors   option of the learning method; 0: it learns no word and takes a rare one
 * @param rareWord  a word that hardly occurs in what the model's text encoder has read. METHOD.md 7.6
 */
export function tokenFor(name: string, vectors: number, rareWord: string): string {
  if (vectors === 0) return rareWord;
  const bare = name
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-|-$/g, '');
  return `<${bare || 'concept'}>`;
}

/**
 * Steps of a run that takes every picture equally often and is about as long whatever their number: 400 for 4 pictures
 * is 4 × 100, for 3 pictures 3 × 133.
 *
 * @param steps  the preset's
 */
export function plannedSteps(steps: number, pictures: number): { steps: number; perPicture: number } {
  const perPicture = Math.max(1, Math.round(steps / pictures));
  return { steps: pictures * perPicture, perPicture };
}

export const conceptInUse = (doc: Pick<Document, 'concepts' | 'concept'>): Concept | null =>
  doc.concepts.find(({ id }) => id === doc.concept) ?? null;

/** What a recipe says of a learned concept. */
export const refOf = ({ id, name, token, classWord, subject, method }: LearnedConcept): ConceptRef => ({
  id,
  name,
  token,
  classWord,
  subject,
  method,
});

/**
 * The target prompt as the personalised model reads it: with the concept's words for its name, else for what it is
 * ('cat'), else for the words that take the subject's place, else for the subject itself.
 *
 * @returns null when the prompt has no place for the concept
 */
export function conceptPrompt(
  { sourcePrompt, targetPrompt, subject }: Pick<Document, 'sourcePrompt' | 'targetPrompt' | 'subject'>,
  concept: ConceptRef,
): string | null {
  if (wordsIn(concept.token).test(targetPrompt)) return targetPrompt;
  const { replacement } = promptDiff(sourcePrompt, targetPrompt);
  for (const words of [concept.name, concept.classWord, replacement, subject]) {
    const place = words?.trim() ? wordsIn(words.trim()).exec(targetPrompt) : null;
    if (!place) continue;
    const end = place.index + place[0].length;
    return targetPrompt.slice(0, place.index) + concept.subject + targetPrompt.slice(end);
  }
  return null;
}

/** The same where the concept must have its place. @throws AppError BAD_REQUEST */
export function promptWith(
  concept: ConceptRef,
  prompts: Pick<Document, 'sourcePrompt' | 'targetPrompt' | 'subject'>,
): string {
  const prompt = conceptPrompt(prompts, concept);
  if (prompt !== null) return prompt;
  const { name, classWord } = concept;
  throw new AppError(
    'BAD_REQUEST',
    `"${prompts.targetPrompt}" has no place for ${name}: name it, or say "${classWord}"`,
  );
}

type Wish = Pick<Document, 'sourcePrompt' | 'targetPrompt' | 'subject' | 'concepts' | 'concept'>;

/** The target prompt as typed. With a concept none is needed: then it takes its place in what the photo shows. */
export const targetOf = (doc: Wish): string =>
  doc.targetPrompt.trim() || (conceptInUse(doc) ? doc.sourcePrompt.trim() : '');

/** The same as the model reads it, a concept that is still to be learned by its name. @returns null when it has no place for the concept in use */
export function targetAsRead(doc: Wish): string | null {
  const { sourcePrompt, subject } = doc;
  const concept = conceptInUse(doc);
  const targetPrompt = targetOf(doc);
  if (!concept) return targetPrompt;
  return conceptPrompt({ sourcePrompt, targetPrompt, subject }, concept.learned ?? expected(concept));
}

const expected = ({ id, name, classWord }: Concept): ConceptRef => ({
  id,
  name,
  token: name,
  classWord,
  subject: name,
});

/** Words of the source prompt that are replaced: as corrected, else as found. */
export const subjectOf = (doc: Wish): string | null =>
  doc.subject ?? promptDiff(doc.sourcePrompt, targetAsRead(doc) ?? targetOf(doc)).subject;

/** What an edit puts in: a concept by its name, else words. */
export const replacementOf = ({
  concept,
  sourcePrompt,
  targetPrompt,
}: Pick<Recipe, 'concept' | 'sourcePrompt' | 'targetPrompt'>): string | null =>
  concept?.name ?? promptDiff(sourcePrompt, targetPrompt).replacement;
