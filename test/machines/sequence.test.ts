import { expect } from "vitest";
import { named } from "../local/step-functions-setup.ts";
import { describePaths, type Path } from "./path-suite.ts";

const scheduledTime = "2026-11-26T06:00:00Z";
const input = { scheduledTime, correlationId: "c" };
const totals = { returned: 100, sent: 100, failed: 0, parked: 0 };
const finished = { done: true, worked: true, totals };
const unfinished = { done: false, worked: true, totals };
const works = { "suppress-due": { suppressed: 0 }, "send-due": finished, "report-heartbeat": { told: true } };

/** The time to wait for is over already, so that the test does not wait. */
const later = { ...unfinished, resumeAt: "2026-01-01T00:10:00Z" };
const suppressed = ["Suppress Due", "Is Everyone Suppressed"];
const toSent = [...suppressed, "Send Due", "Is Everything Sent"];
const failing = ["Report Failure", "Sequence Failed"];
const gone = named("ProviderUnavailable", "no answer");
const refused = named("PermanentFailure", "no");

const paths: Path[] = [
  {
    title: "what is due is sent in one round and reported",
    input,
    script: works,
    states: [...toSent, "Report Heartbeat", "Sequence Done"],
    check: ({ calls }) => {
      expect(calls[0]?.input).toEqual({ scheduledTime });
      expect(calls[1]?.input).toEqual({ scheduledTime });
      expect(calls[2]?.input).toMatchObject({ worked: true });
    },
  },
  {
    title: "further rounds go on from the totals of the one before",
    input,
    script: { ...works, "send-due": [unfinished, unfinished, finished] },
    states: [
      ...toSent,
      "Send More",
      "Is Everything Sent",
      "Send More",
      "Is Everything Sent",
      "Report Heartbeat",
      "Sequence Done",
    ],
    check: ({ calls }) => expect(calls[2]?.input).toEqual({ scheduledTime, totals }),
  },
  {
    title: "what a provider puts off is sent when it takes calls again, from the totals so far",
    input,
    script: { ...works, "send-due": [later, later, finished] },
    states: [
      ...toSent,
      ...["Wait For Provider", "Send More", "Is Everything Sent"],
      ...["Wait For Provider", "Send More", "Is Everything Sent"],
      "Report Heartbeat",
      "Sequence Done",
    ],
    check: ({ calls }) => {
      expect(calls[3]?.input).toEqual({ scheduledTime, totals });
      // Counted from when the run began, not from when it last woke up.
      const told = calls.filter(({ task }) => task === "send-due").map(({ startedAt }) => startedAt);
      expect(Date.parse(told[0] ?? "")).toBeGreaterThan(Date.now() - 600_000);
      expect(new Set(told).size).toBe(1);
    },
  },
  {
    title: "a database that takes no calls for a while only delays a run",
    input,
    script: { ...works, "suppress-due": [{ resumeAt: later.resumeAt }, { suppressed: 0 }] },
    states: [
      "Suppress Due",
      "Is Everyone Suppressed",
      "Wait For Database",
      ...toSent,
      "Report Heartbeat",
      "Sequence Done",
    ],
  },
  {
    title: "a run that sent less than was due tells the monitor that it did not work",
    input,
    script: { ...works, "send-due": { ...finished, worked: false } },
    states: [...toSent, "Report Heartbeat", "Sequence Done"],
    check: ({ calls }) => expect(calls.at(-1)?.input).toMatchObject({ worked: false }),
  },
  {
    title: "a run that cannot suppress sends nothing and fails",
    input,
    script: { ...works, "suppress-due": gone },
    states: ["Suppress Due", ...failing],
    calls: { "Suppress Due": 11 },
    failsWith: "SequenceFailed",
    check: ({ calls }) => expect(calls.at(-1)?.input).toEqual({ worked: false }),
  },
  {
    title: "a first round that cannot send fails after eleven attempts, and the monitor is told",
    input,
    script: { ...works, "send-due": gone },
    states: [...suppressed, "Send Due", ...failing],
    calls: { "Send Due": 11 },
    failsWith: "SequenceFailed",
    check: ({ calls }) => expect(calls.at(-1)?.input).toEqual({ worked: false }),
  },
  {
    title: "a further round that cannot send fails",
    input,
    script: { ...works, "send-due": [unfinished, refused] },
    states: [...toSent, "Send More", ...failing],
    failsWith: "SequenceFailed",
  },
  {
    title: "a monitor that is out of reach does not undo a run",
    input,
    script: { ...works, "report-heartbeat": refused },
    states: [...toSent, "Report Heartbeat", "Sequence Done Unreported"],
  },
  {
    title: "a failure stays a failure when the monitor is out of reach",
    input,
    script: { ...works, "send-due": refused, "report-heartbeat": gone },
    states: [...suppressed, "Send Due", ...failing],
    calls: { "Report Failure": 6 },
    failsWith: "SequenceFailed",
  },
];

// A function that was stopped in the middle of its batches leaves a batch that the next call takes up.
const passing = ["States.Timeout", "Sandbox.Timedout"];
describePaths("sequence", paths, { "Send Due": passing, "Send More": passing });
