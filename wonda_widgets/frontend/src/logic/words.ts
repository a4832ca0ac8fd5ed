// Numbers of things as text.

/** "1 job is", "3 jobs are". */
export const plural = (count: number, one: string, more: string): string =>
  count === 1 ? `1 ${one}` : `${count} ${more}`;

/** The number of characters of a text, as Instagram counts them: code points. */
export const countCharacters = (text: string): number => [...text].length;
