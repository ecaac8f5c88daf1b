/** The items of each key together, keys and items in the order they came. Map.groupBy, which Node 20 does not have. */
export function groups<T>(items: readonly T[], key: (item: T) => unknown): readonly (readonly T[])[] {
  const found = new Map<unknown, T[]>();
  for (const item of items) {
    const group = found.get(key(item));
    if (group) group.push(item);
    else found.set(key(item), [item]);
  }
  return [...found.values()];
}
