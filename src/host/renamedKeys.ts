/** A record by file path after `from`, a file or a folder, was renamed to `to`; its order stays. */
export function renamedKeys<T>(
  record: Readonly<Record<string, T>>,
  from: string,
  to: string,
): Readonly<Record<string, T>> {
  return Object.fromEntries(
    Object.entries(record).map(([path, value]) => [
      path === from || path.startsWith(`${from}/`) ? to + path.slice(from.length) : path,
      value,
    ]),
  );
}
