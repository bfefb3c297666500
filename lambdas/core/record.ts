/** A new record with the same keys: `Object.fromEntries` alone forgets which keys there were. */
export function mapRecord<K extends string, V, R>(record: Record<K, V>, change: (value: V, key: K) => R): Record<K, R>;
export function mapRecord(
  record: Record<string, unknown>,
  change: (value: unknown, key: string) => unknown,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));
}

/** `Object.entries` that keeps the keys' type; for records whose keys are all known. */
export function entriesOf<K extends string, V>(record: Record<K, V>): [K, V][];
export function entriesOf(record: Record<string, unknown>): [string, unknown][] {
  return Object.entries(record);
}
