/**
 * The steps of the station's functions that reach something outside the function. Each has a boundary before the
 * request leaves and one after its answer came, before the code sees it. `crossings` is about how often a seed comes by:
 * the rarer, the likelier a kill there.
 */
const steps = {
  // A mail and its ledger record.
  tag: { before: "before-tag", after: "after-tag", crossings: 30 },
  claim: { before: "before-claim", after: "after-claim", crossings: 30 },
  attempt: { before: "before-attempt", after: "after-attempt", crossings: 30 },
  send: { before: "before-send", after: "after-accept", crossings: 30 },
  record: { before: "before-record", after: "after-record", crossings: 30 },
  settle: { before: "before-settle", after: "after-settle", crossings: 25 },
  reserve: { before: "before-reserve", after: "after-reserve", crossings: 60 },
  // A contact.
  "contact-create": { before: "before-contact-create", after: "after-contact-create", crossings: 12 },
  "contact-update": { before: "before-contact-update", after: "after-contact-update", crossings: 8 },
  dirty: { before: "before-dirty", after: "after-dirty", crossings: 6 },
  "segment-add": { before: "before-segment-add", after: "after-segment-add", crossings: 6 },
  "segment-remove": { before: "before-segment-remove", after: "after-segment-remove", crossings: 5 },
  clean: { before: "before-clean", after: "after-clean", crossings: 6 },
  // The digest.
  "week-claim": { before: "before-week-claim", after: "after-week-claim", crossings: 2 },
  pin: { before: "before-pin", after: "after-pin", crossings: 1 },
  "batch-store": { before: "before-batch-store", after: "after-batch-store", crossings: 1 },
  cursor: { before: "before-cursor", after: "after-cursor", crossings: 1 },
  "broadcast-create": { before: "before-broadcast-create", after: "after-broadcast-create", crossings: 1 },
  "broadcast-record": { before: "before-broadcast-record", after: "after-broadcast-record", crossings: 1 },
  "broadcast-send": { before: "before-broadcast-send", after: "after-broadcast-send", crossings: 1 },
  "week-close": { before: "before-week-close", after: "after-week-close", crossings: 2 },
  // The onboarding sequence.
  "sequence-claim": { before: "before-sequence-claim", after: "after-sequence-claim", crossings: 3 },
  "sequence-complete": { before: "before-sequence-complete", after: "after-sequence-complete", crossings: 2 },
  // A post on Discord.
  "post-attempt": { before: "before-post-attempt", after: "after-post-attempt", crossings: 4 },
  post: { before: "before-post", after: "after-post", crossings: 4 },
  "post-record": { before: "before-post-record", after: "after-post-record", crossings: 4 },
  edit: { before: "before-edit", after: "after-edit", crossings: 4 },
  // The database's outbox and the inbox of webhooks.
  "outbox-claim": { before: "before-outbox-claim", after: "after-outbox-claim", crossings: 6 },
  "outbox-complete": { before: "before-outbox-complete", after: "after-outbox-complete", crossings: 6 },
  "event-receive": { before: "before-event-receive", after: "after-event-receive", crossings: 40 },
  "event-apply": { before: "before-event-apply", after: "after-event-apply", crossings: 30 },
  "event-finish": { before: "before-event-finish", after: "after-event-finish", crossings: 30 },
  // Everything else.
  rpc: { before: "before-rpc", after: "after-rpc", crossings: 60 },
  enqueue: { before: "before-enqueue", after: "after-enqueue", crossings: 80 },
  "dead-letter": { before: "before-dead-letter", after: "after-dead-letter", crossings: 1 },
  run: { before: "before-run", after: "after-run", crossings: 8 },
  start: { before: "before-start", after: "after-start", crossings: 4 },
  "request-claim": { before: "before-request-claim", after: "after-request-claim", crossings: 30 },
  "request-record": { before: "before-request-record", after: "after-request-record", crossings: 30 },
  revalidate: { before: "before-revalidate", after: "after-revalidate", crossings: 10 },
  // The whole invocation: nothing was done yet; all is done and nobody was told.
  work: { before: "before-work", after: "before-ack", crossings: 80 },
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
