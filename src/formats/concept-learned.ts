import type { BlobId, LearnedConcept } from '../document/document';
import type { ConceptFile } from './concept';
import type { ConceptBase } from './concept-base';
import { ownMetadata } from './concept-metadata';
import { bareToken } from './textual-inversion';

/**
 * What a document keeps of a concept file: as far as the file tells, in our keys, ModelSpec's or kohya's.
 *
 * @param id    content id of the file
 * @param stem  of its name, where it has no title
 */
export function learnedFrom(
  { concept, kind, metadata }: ConceptFile,
  id: BlobId,
  stem: string,
  base: ConceptBase,
): LearnedConcept {
  const own = ownMetadata(metadata);
  const words = concept.tokens.map(({ token }) => token).join(' ');
  const classWord = own.class_word ?? '';
  const token = words || (own.token ?? '');
  const withClass = kind === 'textual-inversion' ? token : `${token} ${classWord}`.trim();
  const title = metadata['modelspec.title'] ?? metadata.ss_output_name;
  return {
    id,
    name: title || bareToken(words) || stem,
    token,
    classWord,
    subject: own.subject ?? metadata['modelspec.trigger_phrase'] ?? withClass,
    method: own.method ?? kind,
    options: {},
    steps: Math.max(0, Math.trunc(Number(own.steps ?? metadata.ss_steps)) || 0),
    pictures: [],
    seed: 0,
    model: own.base ?? base.id,
    baseHash: own.base_sha256 ?? base.sha256 ?? null,
  };
}
