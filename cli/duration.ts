const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** Milliseconds of a duration such as `90s`, `15m`, `6h`, `35d` or `2w`; null when it is none. */
export function parseDuration(text: string): number | null {
  const parts = /^(\d+)([smhdw])$/.exec(text);
  const unit = Object.entries(unitMs).find(([name]) => name === parts?.[2]);
  return parts && unit ? Number(parts[1]) * unit[1] : null;
}
