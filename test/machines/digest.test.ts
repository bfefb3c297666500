import { expect } from "vitest";
import { named } from "../local/step-functions-setup.ts";
import { describePaths, type Path } from "./path-suite.ts";

const scheduledTime = "2026-11-30T09:00:00Z";
const week = { week: "2026-W49", contentFrom: "2026-11-23" };
const claimed = (mode: "broadcast" | "batch") => ({ status: "claimed", ...week, mode });
const done = { done: true };
const ready = { status: "ready" };

/** A week that is sent as single mails without any trouble. */
const batches = {
  "claim-week": claimed("batch"),
  "fetch-digest": ready,
  "deliver-batches": { done: true, cursor: null },
  "record-digest": { worked: true },
  "release-week": { worked: false },
  "report-heartbeat": { told: true },
};
const broadcast = { ...batches, "claim-week": claimed("broadcast"), "deliver-broadcast": done };

const toContent = ["Is This A Rehearsal", "Claim Week", "What Was Claimed", "Fetch Digest", "Is There Content"];
/** What a task answers that must wait; the time is over already, so that the test does not. */
const later = { done: false, resumeAt: "2026-01-01T00:10:00Z" };
const recorded = ["Record Digest", "Is It Recorded"];
const toBatches = [...toContent, "How To Deliver", "Deliver Batches"];
const toBroadcast = [...toContent, "How To Deliver", "Deliver Broadcast"];
const toSent = [...toBroadcast, "Is Everyone Served"];
const failing = ["Release Failed Week", "Report Failure", "Digest Failed"];
const gone = named("ProviderUnavailable", "no answer");
const refused = named("PermanentFailure", "no");
const taken = named("LeaseLost", "another run has the week");

const path = (title: string, rest: Omit<Path, "title" | "input"> & { input?: object }): Path => ({
  title,
  ...rest,
  input: { scheduledTime, correlationId: "c", ...rest.input },
});
const fails = (title: string, rest: Omit<Path, "title" | "input" | "failsWith">): Path =>
  path(title, { ...rest, failsWith: "DigestFailed" });

const paths: Path[] = [
  path("a broadcast is delivered, recorded and reported", {
    script: broadcast,
    states: [...toSent, ...recorded, "Report Heartbeat", "Digest Done"],
    check: ({ calls }) => {
      const told = Object.fromEntries(calls.map(({ task, input }) => [task, input]));
      expect(told["claim-week"]).toMatchObject({ scheduledTime, correlationId: "c" });
      for (const task of ["fetch-digest", "deliver-broadcast", "record-digest"])
        expect(told[task], task).toEqual({ scheduledTime, ...week });
      expect(told["report-heartbeat"]).toEqual({ worked: true });
    },
  }),
  path("batches are delivered in rounds until everyone is served", {
    script: { ...batches, "deliver-batches": [{ done: false }, { done: false }, { done: true }] },
    states: [
      ...toBatches,
      "Is Everyone Served",
      "How To Deliver",
      "Deliver Batches",
      "Is Everyone Served",
      "How To Deliver",
      "Deliver Batches",
      "Is Everyone Served",
      ...recorded,
      "Report Heartbeat",
      "Digest Done",
    ],
  }),
  path("batches that a provider puts off are gone on with when it takes calls again", {
    script: { ...batches, "deliver-batches": [later, later, { done: true }] },
    states: [
      ...toBatches,
      ...["Is Everyone Served", "Wait For Provider", "How To Deliver", "Deliver Batches"],
      ...["Is Everyone Served", "Wait For Provider", "How To Deliver", "Deliver Batches"],
      "Is Everyone Served",
      ...recorded,
      "Report Heartbeat",
      "Digest Done",
    ],
    check: ({ calls }) => {
      const told = calls.filter(({ task }) => task === "deliver-batches");
      expect(told.map(({ input }) => input)).toEqual(told.map(() => ({ scheduledTime, ...week })));
      // Counted from when the run began, not from when it last woke up.
      const [startedAt] = told.map((call) => call.startedAt);
      expect(Date.parse(startedAt ?? "")).toBeGreaterThan(Date.now() - 600_000);
      expect(new Set(told.map((call) => call.startedAt)).size).toBe(1);
    },
  }),
  path("a broadcast that Resend puts off is sent when it takes calls again", {
    script: { ...broadcast, "deliver-broadcast": [later, done] },
    states: [
      ...toBroadcast,
      ...["Is Everyone Served", "Wait For Provider", "How To Deliver", "Deliver Broadcast"],
      "Is Everyone Served",
      ...recorded,
      "Report Heartbeat",
      "Digest Done",
    ],
  }),
  path("a digest that the database cannot take down yet is recorded later", {
    script: { ...batches, "record-digest": [later, { worked: true }] },
    states: [
      ...toBatches,
      "Is Everyone Served",
      ...recorded,
      "Wait For Database",
      ...recorded,
      "Report Heartbeat",
      "Digest Done",
    ],
    check: ({ calls }) => expect(calls.at(-1)?.input).toEqual({ worked: true }),
  }),
  path("a digest that not everyone got is reported as a failure to the monitor, and is not sent again", {
    script: { ...batches, "record-digest": { worked: false } },
    states: [...toBatches, "Is Everyone Served", ...recorded, "Report Heartbeat", "Digest Done"],
    check: ({ calls }) => expect(calls.at(-1)?.input).toEqual({ worked: false }),
  }),
  path("a run beside a live one joins it and touches nothing", {
    script: { "claim-week": { ...claimed("batch"), status: "joined" } },
    states: ["Is This A Rehearsal", "Claim Week", "What Was Claimed", "Joined"],
  }),
  path("a run of a week that was sent says so and touches nothing", {
    script: { "claim-week": { ...claimed("batch"), status: "already-sent" } },
    states: ["Is This A Rehearsal", "Claim Week", "What Was Claimed", "Already Sent"],
  }),
  path("an empty week is given back and reported as worked", {
    script: { ...batches, "fetch-digest": { status: "empty" }, "release-week": { worked: true } },
    states: [...toContent, "Release Empty Week", "Report Heartbeat", "Digest Done"],
    check: ({ calls }) => {
      expect(calls.at(-2)?.input).toEqual({ scheduledTime, ...week, as: "empty" });
      expect(calls.at(-1)?.input).toEqual({ worked: true });
    },
  }),
  fails("an empty week that cannot be given back fails", {
    script: { ...batches, "fetch-digest": { status: "empty" }, "release-week": refused },
    states: [...toContent, "Release Empty Week", "Report Failure", "Digest Failed"],
  }),
  fails("a week that cannot be claimed fails after six attempts, and the monitor is told", {
    script: { ...batches, "claim-week": gone },
    states: ["Is This A Rehearsal", "Claim Week", "Report Failure", "Digest Failed"],
    calls: { "Claim Week": 6 },
    check: ({ calls }) => expect(calls.at(-1)?.input).toEqual({ worked: false }),
  }),
  path("without an answer of the database the last good content is sent", {
    script: { ...batches, "fetch-digest": gone, "use-last-good": ready },
    states: [
      ...toContent.slice(0, 4),
      "Use Last Good",
      "Is There Content",
      "How To Deliver",
      "Deliver Batches",
      "Is Everyone Served",
      ...recorded,
      "Report Heartbeat",
      "Digest Done",
    ],
    calls: { "Fetch Digest": 4 },
  }),
  fails("without last good content the week is given back, as failed", {
    script: { ...batches, "fetch-digest": refused, "use-last-good": named("NoLastGoodDigest") },
    states: [...toContent.slice(0, 4), "Use Last Good", ...failing],
    check: ({ calls }) => {
      expect(calls.at(-2)?.input).toEqual({ scheduledTime, ...week, as: "failed" });
      expect(calls.at(-1)?.input).toEqual({ worked: false });
    },
  }),
  fails("a broadcast that Resend refuses is given back, as failed", {
    script: { ...broadcast, "deliver-broadcast": refused },
    states: [...toBroadcast, ...failing],
  }),
  fails("a broadcast that Resend never takes is given back after eleven attempts", {
    script: { ...broadcast, "deliver-broadcast": gone },
    states: [...toBroadcast, ...failing],
    calls: { "Deliver Broadcast": 11 },
  }),
  path("a broadcast run whose week was taken over stops as joined", {
    script: { ...broadcast, "deliver-broadcast": taken },
    states: [...toBroadcast, "Joined"],
  }),
  fails("batches that Resend never takes are given back after eleven attempts", {
    script: { ...batches, "deliver-batches": gone },
    states: [...toBatches, ...failing],
    calls: { "Deliver Batches": 11 },
  }),
  path("a batch run whose week was taken over stops as joined", {
    script: { ...batches, "deliver-batches": [{ done: false }, taken] },
    states: [...toBatches, "Is Everyone Served", "How To Deliver", "Deliver Batches", "Joined"],
  }),
  fails("batches that cannot go out while the run lasts are given back, as failed", {
    script: { ...batches, "deliver-batches": named("QuotaExceeded", "not before next month") },
    states: [...toBatches, ...failing],
  }),
  fails("a digest that cannot be recorded is given back, as failed", {
    script: { ...batches, "record-digest": refused },
    states: [...toBatches, "Is Everyone Served", "Record Digest", ...failing],
  }),
  path("a run whose week was taken over before it was recorded stops as joined", {
    script: { ...batches, "record-digest": taken },
    states: [...toBatches, "Is Everyone Served", "Record Digest", "Joined"],
  }),
  path("a monitor that is out of reach does not undo a digest", {
    script: { ...broadcast, "report-heartbeat": refused },
    states: [...toSent, ...recorded, "Report Heartbeat", "Digest Done Unreported"],
  }),
  fails("a failure stays a failure when the week cannot be given back", {
    script: { ...broadcast, "deliver-broadcast": refused, "release-week": gone },
    states: [...toBroadcast, ...failing],
    calls: { "Release Failed Week": 6 },
  }),
  fails("a failure stays a failure when the monitor is out of reach", {
    script: { ...broadcast, "deliver-broadcast": refused, "report-heartbeat": gone },
    states: [...toBroadcast, ...failing],
    calls: { "Report Failure": 6 },
  }),
  path("a rehearsal reads the content and claims nothing", {
    input: { rehearsal: true },
    script: { "rehearse-digest": { items: 3 } },
    states: ["Is This A Rehearsal", "Rehearse Digest", "Rehearsed"],
    check: ({ calls }) => expect(calls[0]?.input).toMatchObject({ scheduledTime, rehearsal: true }),
  }),
  path("an input that says it is no rehearsal is none", {
    input: { rehearsal: false },
    script: { "claim-week": { ...claimed("batch"), status: "joined" } },
    states: ["Is This A Rehearsal", "Claim Week", "What Was Claimed", "Joined"],
  }),
  path("a rehearsal that fails has a name of its own", {
    input: { rehearsal: true },
    script: { "rehearse-digest": gone },
    states: ["Is This A Rehearsal", "Rehearse Digest", "Rehearsal Failed"],
    failsWith: "RehearsalFailed",
    calls: { "Rehearse Digest": 6 },
  }),
];

// A function that was stopped in the middle of its batches goes on at the cursor.
describePaths("digest", paths, { "Deliver Batches": ["States.Timeout", "Sandbox.Timedout"] });
