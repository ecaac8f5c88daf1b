import type { DiffusionModel, PersonalModel } from '../diffusion/model';
import type { ConceptRef, Recipe } from '../document/document';
import type { EditStep } from '../editing/edit-step';
import { type EditMethod, type EmptyPrompt, editMethods } from '../editing/methods';
import { checkOptions } from '../editing/options';
import { type EditProgress, promptToPrompt } from '../editing/prompt-to-prompt';
import { type EditInputs, scoreEdit } from '../editing/score-edit';
import { personalizationMethods } from '../personalization/methods';
import { AppError } from '../util/errors';
import { phrasesOf, promptDiff } from '../util/prompt-diff';

/** What an edit works on, whatever its method. */
export interface EditSubject {
  readonly model: DiffusionModel;
  /** the model that carries the concept; the model itself without one */
  readonly personal: PersonalModel;
  /** the target prompt as that model reads it, with the concept's words */
  readonly targetPrompt: string;
  readonly contexts: EditInputs['contexts'];
  readonly recipe: Pick<Recipe, 'method' | 'options' | 'sourcePrompt' | 'subject' | 'seed'> & {
    readonly concept?: Pick<ConceptRef, 'method'> | null;
  };
  readonly source: EditInputs['source'];
  readonly paintedMask: EditInputs['paintedMask'];
  readonly start?: EditInputs['start'];
}

/** The recipe's method; its options complete and in range. @throws AppError BAD_REQUEST */
export function methodOf(recipe: Pick<Recipe, 'method' | 'options' | 'from'>): {
  readonly method: EditMethod;
  readonly steps: number;
} {
  const method = editMethods[recipe.method];
  if (!method) throw new AppError('BAD_REQUEST', `there is no edit method called ${recipe.method}`);
  if (recipe.from && method.kind !== 'score') {
    throw new AppError('BAD_REQUEST', `${recipe.method} cannot start from a step of another edit`);
  }
  return { method, steps: checkOptions<{ steps: number }>(recipe.options, method.defaults).steps };
}

/** The steps of an edit by any method of the table, and how far its preparations are. */
export function editSteps(
  subject: EditSubject,
  halted: () => boolean,
): AsyncGenerator<EditStep | EditProgress, void> {
  const { model, personal, recipe, source, paintedMask, contexts, start } = subject;
  const method = editMethods[recipe.method]!;
  const phrases = recipe.subject ? phrasesOf(recipe.subject) : [];
  const { schedule } = model;
  if (method.kind === 'attention') {
    const prompts = { source: recipe.sourcePrompt, target: subject.targetPrompt };
    return promptToPrompt(
      {
        ...personal,
        frozen: model.predictNoise,
        emptyPrompt: learnedEmpty(recipe.concept),
        source,
        prompts,
        contexts,
        subject: phrases,
        paintedMask,
        schedule,
        limits: model.limits,
      },
      checkOptions(recipe.options, method.defaults),
      halted,
    );
  }
  const watched = method.subjectMask && phrases.length ? model.watch(recipe.sourcePrompt, phrases) : null;
  const { replacement } = promptDiff(recipe.sourcePrompt, subject.targetPrompt);
  const grown = watched && replacement ? personal.watch(subject.targetPrompt, phrasesOf(replacement)) : null;
  return scoreEdit(
    {
      source,
      personalised: grown?.predictNoise ?? personal.predictNoise,
      frozen: watched?.predictNoise ?? model.predictNoise,
      subjectMaps: watched && (() => watched.latestMaps()),
      replacementMaps: grown && (() => grown.latestMaps()),
      contexts,
      paintedMask,
      schedule,
      emptyPrompt: learnedEmpty(recipe.concept),
      seed: recipe.seed,
      ...(start && { start }),
    },
    method,
    checkOptions(recipe.options, method.defaults),
    halted,
  );
}

const learnedEmpty = (concept: EditSubject['recipe']['concept']): EmptyPrompt =>
  personalizationMethods[concept?.method ?? '']?.emptyPrompt ?? 'own';
