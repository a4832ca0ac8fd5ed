/** The entry of a map from outside; names such as "constructor" are entries only if it has them. */
export const own = <T>(map: Record<string, T>, name: string): T | undefined =>
  Object.hasOwn(map, name) ? map[name] : undefined;
