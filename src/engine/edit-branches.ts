import type { DiffusionModel, PersonalModel } from '../diffusion/model';
import { promptWith } from '../document/concepts';
import type { Recipe } from '../document/document';
import type { EditMethod } from '../editing/methods';
import { readConceptBase } from '../formats/model-folder';
import { AppError } from '../util/errors';
import { openConcept } from './concept-files';
import type { EditSubject } from './edit-steps';
import type { Notice } from './events';
import { openFit } from './fit-files';
import type { EngineHost } from './host';

/** The model that carries the concept, and the prompts as the model of each branch reads them. */
export type Branches = Pick<EditSubject, 'personal' | 'targetPrompt' | 'contexts'>;

/** A prompt as a model reads it. */
export interface Reading {
  readonly text: string;
  readonly reads: PersonalModel;
}

/**
 * The target prompt as its branch reads it: with a concept the personalised model, on the prompt with the concept's
 * words in it; without one the model itself.
 *
 * @throws AppError BAD_REQUEST when the target prompt has no place for the concept; UNSUPPORTED_MODEL when it was made for
 *         another base; BAD_FILE when it is not stored
 */
export async function targetBranch(
  host: EngineHost,
  model: DiffusionModel,
  recipe: Recipe,
): Promise<Reading> {
  const { concept, targetPrompt } = recipe;
  if (!concept) {
    if (recipe.fit) throw new AppError('BAD_REQUEST', 'a fit needs the concept that it belongs to');
    return { text: targetPrompt, reads: model };
  }
  const text = promptWith(concept, recipe);
  const base = await readConceptBase(await host.openModel(recipe.model));
  const changes = recipe.fit
    ? await openFit(host, recipe.fit, concept, base, model.parts)
    : await openConcept(host, concept, base, model.parts);
  return { text, reads: await model.personalise(changes) };
}

/** A notice for each prompt that is longer than its model reads. */
export function* cutPrompts(...prompts: readonly Reading[]): Generator<Notice, void> {
  for (const { text, reads } of prompts) {
    const { truncated, words } = reads.tokenizer.encode(text);
    if (!truncated) continue;
    const last = words.findLast((word) => word !== null);
    const message = `The model reads a description only so far: “${text}” ends for it after “${last}”.`;
    yield { kind: 'notice', code: 'PROMPT_CUT', message };
  }
}

/**
 * The branches of an edit: with a concept, fitted or as it was learned, the target branch is the personalised model on
 * the prompt with the concept's words in it, and the source branch what the method refers to. Without one both are the
 * model itself.
 *
 * @throws AppError as `targetBranch`
 */
export async function editBranches(
  host: EngineHost,
  model: DiffusionModel,
  recipe: Recipe,
  method: EditMethod,
): Promise<Branches> {
  const { text: targetPrompt, reads: personal } = await targetBranch(host, model, recipe);
  const reads = method.kind === 'score' && method.reference === 'frozen' ? model : personal;
  const [target, empty] = await Promise.all([targetPrompt, ''].map(personal.embed));
  const [source, sourceEmpty] = await Promise.all([
    reads.embed(recipe.sourcePrompt),
    reads === personal ? empty! : reads.embed(''),
  ]);
  const frozenEmpty = personal === model ? empty! : await model.embed('');
  const contexts = { source, sourceEmpty, frozenEmpty, target: target!, empty: empty! };
  return { personal, targetPrompt, contexts };
}
