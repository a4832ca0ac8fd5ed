// The values of a list field.

// "- ", "* ", "• ", "1. ", "2) ", "[ ] ", also after each other.
const BULLET = /^\s*(?:(?:[-*•‣◦–—]|\(?\d{1,3}[.)]|\[[ x]?\])\s+)+/iu;

/**
 * Split a pasted text into values: one per line, without bullets and numbers. Return null for a
 * single line, which is pasted as text.
 */
export function parsePastedList(text: string): string[] | null {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  if (lines.length < 2) return null;
  const filled = lines.filter((line) => line !== "");
  // A number or a dash is a bullet only if every line has one.
  const isList = filled.every((line) => BULLET.test(line));
  return isList ? filled.map((line) => line.replace(BULLET, "")) : filled;
}

/** Values with `more` added, without doubles; `double` is a value that was there already. */
export function addValues(
  values: unknown[],
  more: unknown[],
): { values: unknown[]; double: unknown } {
  const fresh = more.filter((value) => value !== "" && value !== undefined);
  const added = fresh.filter(
    (value, index) => !values.includes(value) && fresh.indexOf(value) === index,
  );
  return {
    values: added.length ? [...values, ...added] : values,
    double: fresh.find((value) => values.includes(value)),
  };
}
