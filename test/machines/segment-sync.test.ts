import { expect } from "vitest";
import { named } from "../local/step-functions-setup.ts";
import { describePaths, type Path } from "./path-suite.ts";

const input = {
  subscriptionId: "5f0c7c2e-9d1b-4a57-8f5e-7a3f0f3b0a11",
  correlationId: "c",
  messageId: "m",
  firstSeenAt: "2026-11-26T06:00:00.000Z",
};
const change = {
  subscriptionId: input.subscriptionId,
  contactId: "contact-1",
  score: 74,
  target: "high-engagement",
  listFirst: false,
};
const works = {
  "read-contact": { status: "change", change },
  "apply-change": { retryAttempt: 0, calls: 2 },
  "store-evidence": {},
  "recover-later": {},
};
const toApply = ["Read Contact", "Is There A Change", "Apply Change"];
const gone = named("ProviderUnavailable", "no answer");
const refused = named("PermanentFailure", "no");

const unread = (error: string, attempts: number): Path => ({
  title: `a contact that ${error} keeps from being read is left for recovery`,
  input,
  script: { ...works, "read-contact": named(error) },
  states: ["Read Contact", "Recover Later", "Left For Recovery"],
  calls: { "Read Contact": attempts },
  check: ({ calls }) => expect(calls.at(-1)?.input).toMatchObject(input),
});
const leftFor = (error: string, attempts: number): Path => ({
  title: `a change that ends in ${error} is left for recovery after ${attempts === 1 ? "one attempt" : `${attempts} attempts`}`,
  input,
  script: { ...works, "apply-change": named(error) },
  states: [...toApply, "Recover Later", "Left For Recovery"],
  calls: { "Apply Change": attempts },
  check: ({ calls }) => expect(calls.at(-1)?.input).toMatchObject(input),
});

const paths: Path[] = [
  {
    title: "a changed contact is moved, and the evidence is kept",
    input,
    script: works,
    states: [...toApply, "Store Evidence", "Contact In Segment"],
    check: ({ calls }) => {
      expect(calls.map((call) => call.input)).toEqual([input, change, { change, calls: 2, retryAttempt: 0 }]);
    },
  },
  {
    title: "an unchanged contact costs nothing further",
    input,
    script: { "read-contact": { status: "unchanged" } },
    states: ["Read Contact", "Is There A Change", "Nothing To Change"],
  },
  {
    title: "a contact that cannot be read for another reason fails",
    input,
    script: { "read-contact": refused },
    states: ["Read Contact", "Segment Sync Failed"],
    failsWith: "SegmentSyncFailed",
  },
  unread("ProviderUnavailable", 3),
  unread("RateLimited", 3),
  unread("QuotaExceeded", 1),
  unread("Deferred", 1),
  leftFor("ProviderUnavailable", 3),
  leftFor("RateLimited", 3),
  leftFor("QuotaExceeded", 1),
  leftFor("Deferred", 1),
  {
    title: "a change that Resend refuses fails at once",
    input,
    script: { ...works, "apply-change": refused },
    states: [...toApply, "Segment Sync Failed"],
    failsWith: "SegmentSyncFailed",
  },
  {
    title: "a change without evidence fails, so that the message comes again",
    input,
    script: { ...works, "store-evidence": gone },
    states: [...toApply, "Store Evidence", "Segment Sync Failed"],
    calls: { "Store Evidence": 3 },
    failsWith: "SegmentSyncFailed",
  },
  {
    title: "a change that cannot even be left for recovery fails, so that the message comes again",
    input,
    script: { ...works, "apply-change": named("QuotaExceeded"), "recover-later": refused },
    states: [...toApply, "Recover Later", "Segment Sync Failed"],
    failsWith: "SegmentSyncFailed",
  },
];

describePaths("segment-sync", paths, {});
