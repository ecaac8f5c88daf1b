import type { Recipe } from '../document/document';
import { restoreRecipe } from '../document/migrations';

/** Longer recipes are refused unread, bytes. Ours are about 1 kB. */
export const RECIPE_LIMIT = 64 * 1024;

export const recipeToJson = (recipe: Recipe): string => JSON.stringify(recipe);

/** A recipe from text of unknown origin, checked field by field. @throws AppError BAD_FILE; SyntaxError when not JSON */
export const recipeFromJson = (text: string): Recipe => restoreRecipe(JSON.parse(text));

/** Values with separators in them are quoted as JSON, as the readers of this text expect. */
const quoted = (value: string): string => (/[,:\n"]/.test(value) ? JSON.stringify(value) : value);

/**
 * The recipe as AUTOMATIC1111's web UI writes generation parameters, which many viewers show: prompt, negative prompt,
 * then one line of `Key: value` pairs.
 */
export function recipeToParameters({ options, ...recipe }: Recipe): string {
  const pairs: Record<string, string | number> = {
    Steps: String(options.steps ?? ''),
    Sampler: recipe.method.toUpperCase(),
    'CFG scale': String(options.guidanceScale ?? ''),
    Seed: recipe.seed,
    Size: `${recipe.square.size}x${recipe.square.size}`,
    Model: recipe.model,
    'Source prompt': recipe.sourcePrompt,
    Subject: recipe.subject ?? '',
    Concept: recipe.concept?.name ?? '',
    // as model hashes are shown
    Fit: recipe.fit?.key.slice(0, 10) ?? '',
    Version: recipe.app,
  };
  const line = Object.entries(pairs)
    .filter(([, value]) => value !== '')
    .map(([key, value]) => `${key}: ${quoted(String(value))}`)
    .join(', ');
  return `${recipe.targetPrompt}\nNegative prompt: \n${line}`;
}
