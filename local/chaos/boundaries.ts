/**
 * The steps of the station's functions that reach something outside the function. Each has a boundary before the
 * request leaves and one after its answer came, before the code sees it. `crossings` is about how often a seed comes by,
 * less than 1 where only some do: the rarer, the likelier a kill there. Each is set so that 50 seeds kill about six times.
 */
const steps = {
  // A mail and its ledger record.
  tag: { before: "before-tag", after: "after-tag", crossings: 15 },
  claim: { before: "before-claim", after: "after-claim", crossings: 12 },
  attempt: { before: "before-attempt", after: "after-attempt", crossings: 15 },
  send: { before: "before-send", after: "after-accept", crossings: 15 },
  record: { before: "before-record", after: "after-record", crossings: 18 },
  settle: { before: "before-settle", after: "after-settle", crossings: 12 },
  reserve: { before: "before-reserve", after: "after-reserve", crossings: 55 },
  // A contact.
  "contact-create": { before: "before-contact-create", after: "after-contact-create", crossings: 11 },
  "contact-update": { before: "before-contact-update", after: "after-contact-update", crossings: 4 },
  dirty: { before: "before-dirty", after: "after-dirty", crossings: 8 },
  "segment-add": { before: "before-segment-add", after: "after-segment-add", crossings: 8 },
  "segment-remove": { before: "before-segment-remove", after: "after-segment-remove", crossings: 8 },
  clean: { before: "before-clean", after: "after-clean", crossings: 8 },
  // The digest.
  "week-claim": { before: "before-week-claim", after: "after-week-claim", crossings: 3 },
  pin: { before: "before-pin", after: "after-pin", crossings: 2 },
  "batch-store": { before: "before-batch-store", after: "after-batch-store", crossings: 0.5 },
  cursor: { before: "before-cursor", after: "after-cursor", crossings: 0.5 },
  "broadcast-create": { before: "before-broadcast-create", after: "after-broadcast-create", crossings: 0.5 },
  "broadcast-record": { before: "before-broadcast-record", after: "after-broadcast-record", crossings: 0.5 },
  "broadcast-send": { before: "before-broadcast-send", after: "after-broadcast-send", crossings: 0.5 },
  "week-close": { before: "before-week-close", after: "after-week-close", crossings: 3 },
  // The onboarding sequence.
  "sequence-claim": { before: "before-sequence-claim", after: "after-sequence-claim", crossings: 5 },
  "sequence-complete": { before: "before-sequence-complete", after: "after-sequence-complete", crossings: 2 },
  // A post on Discord.
  "post-attempt": { before: "before-post-attempt", after: "after-post-attempt", crossings: 6 },
  post: { before: "before-post", after: "after-post", crossings: 6 },
  "post-record": { before: "before-post-record", after: "after-post-record", crossings: 7 },
  edit: { before: "before-edit", after: "after-edit", crossings: 4 },
  // The database's outbox and the inbox of webhooks.
  "outbox-claim": { before: "before-outbox-claim", after: "after-outbox-claim", crossings: 10 },
  "outbox-complete": { before: "before-outbox-complete", after: "after-outbox-complete", crossings: 4 },
  "event-receive": { before: "before-event-receive", after: "after-event-receive", crossings: 26 },
  "event-apply": { before: "before-event-apply", after: "after-event-apply", crossings: 32 },
  "event-finish": { before: "before-event-finish", after: "after-event-finish", crossings: 30 },
  // Everything else.
  rpc: { before: "before-rpc", after: "after-rpc", crossings: 90 },
  enqueue: { before: "before-enqueue", after: "after-enqueue", crossings: 40 },
  "dead-letter": { before: "before-dead-letter", after: "after-dead-letter", crossings: 2 },
  run: { before: "before-run", after: "after-run", crossings: 6 },
  start: { before: "before-start", after: "after-start", crossings: 14 },
  "request-claim": { before: "before-request-claim", after: "after-request-claim", crossings: 16 },
  "request-record": { before: "before-request-record", after: "after-request-record", crossings: 16 },
  revalidate: { before: "before-revalidate", after: "after-revalidate", crossings: 5 },
  // The whole invocation: nothing was done yet; all is done and nobody was told.
  work: { before: "before-work", after: "before-ack", crossings: 110 },
} as const satisfies Record<string, { before: string; after: string; crossings: number }>;

export type StepName = keyof typeof steps;
export type Boundary = (typeof steps)[StepName]["before" | "after"];

export const boundaries: readonly Boundary[] = Object.values(steps).flatMap(({ before, after }) => [before, after]);

const crossingsOf = new Map<string, number>(
  Object.values(steps).flatMap(({ before, after, crossings }) => [
    [before, crossings],
    [after, crossings],
  ]),
);

export const boundaryOf = (step: StepName, side: "before" | "after"): Boundary => steps[step][side];

/** About how often a seed crosses it. */
export const usualCrossings = (boundary: Boundary): number => crossingsOf.get(boundary) ?? 1;
