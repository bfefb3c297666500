import type { SegmentName } from "./station.ts";

/** Where a score starts before anything is known of the subscriber; scores lie in 0..100. */
const baseScore = 50;

// Maps, since both are looked up by what a stranger sent: an object also answers to "constructor".
const sourceBonus = new Map(Object.entries({ post_copy: 15, inline: 10, footer: 5, modal: -5 }));
const copyBonus = new Map(Object.entries({ code: 10, markdown: 5, llmstxt: 5 }));

/** How interested somebody is at sign-up, judged by where and with what they signed up. */
export function initialScore(source: string | null | undefined, copyType: string | null | undefined): number {
  const score = baseScore + (sourceBonus.get(source ?? "") ?? 0) + (copyBonus.get(copyType ?? "") ?? 0);
  return Math.min(100, Math.max(0, score));
}

/** The engagement segments; a contact is in exactly one of them. */
export const managedSegments = [
  "high-engagement",
  "medium-engagement",
  "low-engagement",
] as const satisfies SegmentName[];
export type ManagedSegment = (typeof managedSegments)[number];

export function segmentForScore(score: number): ManagedSegment {
  if (score >= 70) return "high-engagement";
  return score >= 40 ? "medium-engagement" : "low-engagement";
}

/** What is known about a contact's segments: `dirty` means a change began and nobody recorded its end. */
export type SegmentState = { segment: ManagedSegment | null; dirty: boolean } | undefined;

export interface SegmentPlan {
  /** Ask Resend first: what we know cannot be trusted. */
  listFirst: boolean;
  target: ManagedSegment;
  /** Nothing to do at all. */
  unchanged: boolean;
}

export function planSegmentChange(score: number, state: SegmentState): SegmentPlan {
  const target = segmentForScore(score);
  const known = state !== undefined && !state.dirty;
  return { target, listFirst: !known, unchanged: known && state.segment === target };
}

/** The calls that take a contact from `present` to `target` alone: added before removed, so it is never in none. */
export function segmentCalls(
  target: ManagedSegment,
  present: readonly ManagedSegment[],
): { add: ManagedSegment | null; remove: ManagedSegment[] } {
  return {
    add: present.includes(target) ? null : target,
    remove: present.filter((segment) => segment !== target),
  };
}
