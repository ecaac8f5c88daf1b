/** 'cat' → 'a cat', 'elephant' → 'an elephant': as the first letter asks, which is right for the names of most things. */
export const withArticle = (words: string): string => `${/^[aeiou]/i.test(words) ? 'an' : 'a'} ${words}`;
