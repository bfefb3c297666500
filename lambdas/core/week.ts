/** A calendar date, `YYYY-MM-DD`. */
export type IsoDate = string;

const dayMs = 86_400_000;

/** The date that clocks in `timeZone` (IANA) show at an instant. */
export function localDate(atMs: number, timeZone: string): IsoDate {
  // The Swedish format is the ISO one.
  return new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short" }).format(atMs);
}

/** Monday of the ISO week a date lies in. */
export function mondayOf(date: IsoDate): IsoDate {
  const atMs = Date.parse(`${date}T00:00:00Z`);
  const daysSinceMonday = (new Date(atMs).getUTCDay() + 6) % 7;
  return isoDate(atMs - daysSinceMonday * dayMs);
}

/** ISO 8601 week of a date, such as `2026-W48`. The year is the one its Thursday lies in. */
export function isoWeek(date: IsoDate): string {
  const thursdayMs = Date.parse(`${mondayOf(date)}T00:00:00Z`) + 3 * dayMs;
  const year = new Date(thursdayMs).getUTCFullYear();
  const week = 1 + Math.floor((thursdayMs - Date.UTC(year, 0, 1)) / (7 * dayMs));
  return `${year}-W${String(week).padStart(2, "0")}`;
}

export interface DigestWeek {
  /** The ISO week in which the digest is sent: what it is claimed by. */
  week: string;
  /** Monday of the week whose content it shows: the one before. */
  contentFrom: IsoDate;
}

/** Which digest a run that was due at `scheduledMs` is about, in the config's time zone. */
export function digestWeek(scheduledMs: number, timeZone: string): DigestWeek {
  const sendMonday = mondayOf(localDate(scheduledMs, timeZone));
  return { week: isoWeek(sendMonday), contentFrom: addDays(sendMonday, -7) };
}

/**
 * Which digest a rehearsal prepares: the next one to be sent. Until noon on Monday that is still the one over the
 * week that has just ended.
 */
export function rehearsedWeek(scheduledMs: number, timeZone: string): DigestWeek {
  const contentFrom = mondayOf(localDate(scheduledMs - dayMs / 2, timeZone));
  return { week: isoWeek(addDays(contentFrom, 7)), contentFrom };
}

function addDays(date: IsoDate, days: number): IsoDate {
  return isoDate(Date.parse(`${date}T00:00:00Z`) + days * dayMs);
}

function isoDate(atMs: number): IsoDate {
  return new Date(atMs).toISOString().slice(0, 10);
}
