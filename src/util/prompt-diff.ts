/** What changes between two prompts. */
export interface PromptDiff {
  /** words of the source prompt that stand for what changes, as written, several things joined by commas; null when nothing does */
  readonly subject: string | null;
  /** words of the target prompt in their place; null when none are */
  readonly replacement: string | null;
}

/** Words [from, to) of the source became words [at, until) of the target; one of the two may be empty. */
interface Run {
  from: number;
  to: number;
  at: number;
  until: number;
}

const words = (prompt: string): string[] => prompt.split(/\s+/).filter(Boolean);
/** Compared without case and punctuation: "Cat," and "cat" are the same word. */
const plain = (word: string): string => word.toLowerCase().replace(/[^\p{L}\p{N}<>_-]/gu, '');
const endsClause = (word: string): boolean => /[,.;:!?)]$/.test(word);

const ARTICLES = new Set(['a', 'an', 'the']);
/** Words (and anything in -ing) that end a noun phrase, as captions use them. A list, not a grammar: people can correct it. */
const BREAKS = new Set([
  ...ARTICLES,
  ...'and or but with without of in on at by to from into onto over under near next beside behind between'.split(
    ' ',
  ),
  ...'inside outside above below against through across along around before after for as like that which who'.split(
    ' ',
  ),
  ...'is are was were has have sits stands lies runs walks sleeps jumps flies eats looks'.split(' '),
]);
const breaks = (word: string): boolean => BREAKS.has(plain(word)) || /.ing$/.test(plain(word));

/**
 * The subject that is changed between two prompts, by longest common subsequence of words: of the runs of words that
 * differ, the first that replaces something, and those that are replaced by the same words ("a cat and a rabbit" → "a
 * dog and a dog"). Where words are only added or removed, the noun phrase that they
 * describe is the subject ("a cat" → "a striped cat" swaps "cat" for "striped cat"); words after a comma describe no
 * subject. Articles at the start are not part of it ("an old cat" → "a dog" swaps "old cat" for "dog").
 */
export function promptDiff(source: string, target: string): PromptDiff {
  const a = words(source);
  const b = words(target);
  const runs = changedRuns(a, b);
  const swap = (run: Run): PromptDiff => ({
    subject: phrase(a.slice(run.from, run.to)),
    replacement: phrase(b.slice(run.at, run.until)),
  });
  const swaps = runs.map(swap).filter(({ subject, replacement }) => subject !== null && replacement !== null);
  const replacement = swaps[0]?.replacement;
  if (replacement) {
    const alike = swaps.filter((other) => other.replacement === replacement);
    return { subject: [...new Set(alike.map(({ subject }) => subject))].join(', '), replacement };
  }
  const described = runs.map((run) => swap(withNoun(run, a, b))).find(({ subject }) => subject !== null);
  if (described) return described;
  return {
    subject: null,
    replacement: runs.map((run) => swap(run).replacement).find((text) => text !== null) ?? null,
  };
}

/** The things that a subject names, which commas separate: "cat, rabbit" is two. */
export const phrasesOf = (subject: string): string[] =>
  subject
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);

/** These words where they stand in a prompt as whole words, in any case. */
export const wordsIn = (words: string): RegExp =>
  new RegExp(`(?<![\\p{L}\\p{N}])${words.replace(/[$()*+.?[\\\]^{|}/]/g, '\\$&')}(?![\\p{L}\\p{N}])`, 'iu');

/** Runs of words that differ, in order. */
function changedRuns(a: readonly string[], b: readonly string[]): Run[] {
  const same = (i: number, j: number): boolean => {
    const [left, right] = [plain(a[i]!), plain(b[j]!)];
    // the word that follows decides between "a" and "an": of itself it is no change
    return left === right || (ARTICLES.has(left) && ARTICLES.has(right));
  };
  // length[i][j]: longest common subsequence of a[i..] and b[j..]
  const length = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      length[i]![j] = same(i, j)
        ? 1 + length[i + 1]![j + 1]!
        : Math.max(length[i + 1]![j]!, length[i]![j + 1]!);
    }
  }
  const runs: Run[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; i++, j++) {
    const run = { from: i, to: i, at: j, until: j };
    while ((i < a.length || j < b.length) && !(i < a.length && j < b.length && same(i, j))) {
      if (j >= b.length || (i < a.length && length[i + 1]![j]! >= length[i]![j + 1]!)) i++;
      else j++;
    }
    run.to = i;
    run.until = j;
    if (run.to > run.from || run.until > run.at) runs.push(run);
  }
  return runs;
}

/** A run of added or removed words together with the noun phrase that they describe, before or after them. */
function withNoun(run: Run, a: readonly string[], b: readonly string[]): Run {
  const changed = run.to > run.from ? a.slice(run.from, run.to) : b.slice(run.at, run.until);
  let { from, to, at, until } = run;
  if (!breaks(changed[0]!)) {
    // "striped" cat: on to the end of the noun phrase
    let last = changed.at(-1)!;
    while (to < a.length && until < b.length && !endsClause(last) && !breaks(a[to]!)) {
      last = a[to++]!;
      until++;
    }
  }
  const followed = to > run.to;
  const before = [a[from - 1], b[at - 1]];
  if (!followed && before.every((word) => word !== undefined && !endsClause(word) && !breaks(word))) {
    // cat "with a hat"
    from--;
    at--;
  }
  return { from, to, at, until };
}

/** Words as one text, without articles in front and punctuation around; null when nothing is left. */
function phrase(run: readonly string[]): string | null {
  const kept = [...run];
  while (kept.length > 0 && ARTICLES.has(plain(kept[0]!))) kept.shift();
  return kept.join(' ').replace(/^[^\p{L}\p{N}<]+|[^\p{L}\p{N}>]+$/gu, '') || null;
}
