/** "November 17, 2025" of an ISO date or time, in UTC, or the day would depend on where this runs. */
export function longDay(isoTime: string): string {
  return new Intl.DateTimeFormat("en", { dateStyle: "long", timeZone: "UTC" }).format(Date.parse(isoTime));
}

/** "November 17, 2025, 09:30 UTC". */
export function longTime(isoTime: string): string {
  return `${longDay(isoTime)}, ${new Date(isoTime).toISOString().slice(11, 16)} UTC`;
}

/** 299 USD -> "$299", 9.5 EUR -> "€9.50". */
export function money(amount: number, currency: string): string {
  const format = { style: "currency", currency, trailingZeroDisplay: "stripIfInteger" } as const;
  return new Intl.NumberFormat("en-US", format).format(amount);
}

/** 1 -> "1 view", 1204 -> "1,204 views". */
export function counted(count: number, noun: string): string {
  return `${new Intl.NumberFormat("en").format(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** "one-time" -> "One-time". */
export function capitalised(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
