import type { DiffusionModel } from '../diffusion/model';
import { conceptPrompt } from '../document/concepts';
import type { Recipe } from '../document/document';
import type { EditMethod } from '../editing/methods';
import { readConceptBase } from '../formats/model-folder';
import { AppError } from '../util/errors';
import { openConcept } from './concept-files';
import type { EditSubject } from './edit-steps';
import type { EngineHost } from './host';

/** The model that carries the concept, and the prompts as the model of each branch reads them. */
export type Branches = Pick<EditSubject, 'personal' | 'targetPrompt' | 'contexts'>;

/**
 * The branches of an edit: with a concept the target branch is the personalised model on the prompt with the concept's
 * words in it, and the source branch what the method refers to. Without one both are the model itself.
 *
 * @throws AppError BAD_REQUEST when the target prompt has no place for the concept; UNSUPPORTED_MODEL when it was made for
 *         another base; BAD_FILE when it is not stored
 */
export async function editBranches(
  host: EngineHost,
  model: DiffusionModel,
  recipe: Recipe,
  method: EditMethod,
): Promise<Branches> {
  const { concept, sourcePrompt, targetPrompt } = recipe;
  if (!concept) {
    const [source, target, empty] = await Promise.all([sourcePrompt, targetPrompt, ''].map(model.embed));
    const contexts = { source: source!, target: target!, empty: empty! };
    return { personal: model, targetPrompt, contexts };
  }
  const prompt = conceptPrompt(recipe, concept);
  if (prompt === null) {
    throw new AppError(
      'BAD_REQUEST',
      `"${targetPrompt}" has no place for ${concept.name}: name it, or say "${concept.classWord}"`,
    );
  }
  const base = await readConceptBase(await host.openModel(recipe.model));
  const personal = await model.personalise(await openConcept(host, concept, base, model.parts));
  const reads = method.kind === 'score' && method.reference === 'frozen' ? model : personal;
  const [source, sourceEmpty, target, empty] = await Promise.all([
    reads.embed(sourcePrompt),
    reads.embed(''),
    personal.embed(prompt),
    personal.embed(''),
  ]);
  return { personal, targetPrompt: prompt, contexts: { source, sourceEmpty, target, empty } };
}
