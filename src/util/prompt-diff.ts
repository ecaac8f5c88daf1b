/** What changes between two prompts. */
export interface PromptDiff {
  /** words of the source prompt that are replaced, as written; null when none are */
  readonly subject: string | null;
  /** words of the target prompt in their place; null when none are */
  readonly replacement: string | null;
}

const words = (prompt: string): string[] => prompt.split(/\s+/).filter(Boolean);
/** Compared without case and punctuation: "Cat," and "cat" are the same word. */
const plain = (word: string): string => word.toLowerCase().replace(/[^\p{L}\p{N}<>_-]/gu, '');
const ARTICLES = new Set(['a', 'an', 'the']);

/**
 * The subject that is swapped between two prompts, by longest common subsequence of words: of the runs of words that
 * differ, the first that replaces something. Articles at its start are not part of it
 * ("an old cat" → "a dog" gives "old cat" → "dog").
 */
export function promptDiff(source: string, target: string): PromptDiff {
  const a = words(source);
  const b = words(target);
  const same = (i: number, j: number): boolean => plain(a[i]!) === plain(b[j]!);
  // length[i][j]: longest common subsequence of a[i..] and b[j..]
  const length = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      length[i]![j] = same(i, j)
        ? 1 + length[i + 1]![j + 1]!
        : Math.max(length[i + 1]![j]!, length[i]![j + 1]!);
    }
  }
  const runs: { removed: string[]; added: string[] }[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; i++, j++) {
    const run: { removed: string[]; added: string[] } = { removed: [], added: [] };
    while ((i < a.length || j < b.length) && !(i < a.length && j < b.length && same(i, j))) {
      if (j >= b.length || (i < a.length && length[i + 1]![j]! >= length[i]![j + 1]!))
        run.removed.push(a[i++]!);
      else run.added.push(b[j++]!);
    }
    if (run.removed.length + run.added.length > 0) runs.push(run);
  }
  const text = (run: readonly string[] | undefined): string | null => {
    const kept = [...(run ?? [])];
    while (kept.length > 1 && ARTICLES.has(plain(kept[0]!))) kept.shift();
    const joined = kept.join(' ').replace(/^[^\p{L}\p{N}<]+|[^\p{L}\p{N}>]+$/gu, '');
    return joined && !ARTICLES.has(plain(joined)) ? joined : null;
  };
  const swaps = runs
    .map((run) => ({ subject: text(run.removed), replacement: text(run.added) }))
    .filter((swap) => swap.subject !== null);
  return (
    swaps.find((swap) => swap.replacement !== null) ??
    swaps[0] ?? {
      subject: null,
      replacement: runs.map((run) => text(run.added)).find((t) => t !== null) ?? null,
    }
  );
}
