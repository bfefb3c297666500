import { describe, expect, test } from "vitest";
import { boundaries, usualCrossings } from "../../local/chaos/boundaries.ts";
import { classifyCall, type OutgoingCall } from "../../local/chaos/classify-call.ts";
import { createDisturbances } from "../../local/chaos/disturbances.ts";
import { clockSkewMs, coversAll, faultOf, isKilled, repetitionOf } from "../../local/chaos/fault-plan.ts";
import { chaosMemory, createChaosBuffer } from "../../local/chaos/memory.ts";

const items = Array.from({ length: 4000 }, (_, index) => `item-${index}`);
const share = (holds: (item: string) => boolean) => items.filter(holds).length / items.length;

describe("The plan of a seed", () => {
  test("is the same whenever it is asked, and another one for another seed", () => {
    const faults = (seed: number) => items.map((item) => faultOf(seed, "resend", item, 0));
    expect(faults(7)).toEqual(faults(7));
    expect(faults(7)).not.toEqual(faults(8));
  });

  test("lets an item through after a few attempts, however often it failed", () => {
    for (const item of items) {
      expect(faultOf(3, "resend", item, 3)).toBe("none");
      expect(boundaries.filter((boundary) => isKilled(3, boundary, item, 2))).toEqual([]);
    }
  });

  test("repeats 30 % of SQS's deliveries", () => {
    const repeated = share((item) => repetitionOf(1, "email", item, 0) !== "never");
    expect(repeated).toBeGreaterThan(0.27);
    expect(repeated).toBeLessThan(0.33);
  });

  test("throttles some items for longer than the SDK tries", () => {
    const stubborn = (item: string) => [0, 1, 2, 3, 4].every((n) => faultOf(1, "dynamodb", item, n) === "throttle");
    expect(share(stubborn)).toBeGreaterThan(0.001);
  });

  test("puts a minority of clocks wrong by seconds, and the others by milliseconds", () => {
    const skews = items.map((item) => Math.abs(clockSkewMs(1, item)));
    const large = skews.filter((skew) => skew > 100).length / skews.length;
    expect(large).toBeGreaterThan(0.05);
    expect(large).toBeLessThan(0.15);
    expect(Math.max(...skews)).toBeLessThan(3000);
  });

  test("has every boundary in focus within the seeds after which none may be left out", () => {
    const seeds = Array.from({ length: 14 }, (_, index) => index + 1);
    expect(coversAll(seeds.length)).toBe(true);
    for (const boundary of boundaries)
      expect(
        seeds.some((seed) => share((item) => isKilled(seed, boundary, item, 0)) * usualCrossings(boundary) > 0.2),
        boundary,
      ).toBe(true);
  });
});

describe("A call on its way out", () => {
  const table = (operation: string, body: unknown): OutgoingCall => ({
    service: "dynamodb",
    method: "POST",
    path: "/",
    headers: { "x-amz-target": `DynamoDB_20120810.${operation}` },
    body,
  });
  const key = { pk: { S: "ledger#welcome/1" }, sk: { S: "mail" } };
  const values = (status: string) => ({ ":status": { S: status } });
  const resend = (method: string, path: string, headers = {}): OutgoingCall => ({
    service: "resend",
    method,
    path,
    headers,
    body: { email: "ada@example.com" },
  });
  test.each([
    ["claim", table("PutItem", { Item: key })],
    ["attempt", table("UpdateItem", { Key: key, ExpressionAttributeValues: values("sending") })],
    ["record", table("UpdateItem", { Key: key, ExpressionAttributeValues: values("accepted") })],
    [undefined, table("GetItem", { Key: key })],
    ["send", resend("POST", "/emails", { "idempotency-key": "welcome/1" })],
    ["contact-create", resend("POST", "/contacts")],
    ["segment-remove", resend("DELETE", "/contacts/c-1/segments/s-1")],
    ["broadcast-send", resend("POST", "/broadcasts/b-1/send")],
  ])("is the step %s by its key and operation", (step, call) => {
    expect(classifyCall(call).step).toBe(step);
  });

  test("is about its business key where it tells it, and about the caller's work where it does not", () => {
    expect(classifyCall(resend("POST", "/emails", { "idempotency-key": "welcome/1" })).item).toBe("send/welcome/1");
    expect(classifyCall({ ...resend("DELETE", "/contacts/c-1/segments/s-1"), body: undefined }).item).toBeUndefined();
  });
});

describe("Disturbances", () => {
  const started = (seed: number) => {
    const memory = chaosMemory(createChaosBuffer());
    memory.begin(seed, 0);
    memory.setDisturbing(true);
    const told: unknown[] = [];
    let deaths = 0;
    const disturbances = createDisturbances({
      memory,
      report: (event) => told.push(event),
      die: () => {
        deaths += 1;
      },
    });
    const crossings = () => {
      for (const item of items.slice(0, 500)) {
        const headers = { "idempotency-key": item };
        const call = disturbances.call({ service: "resend", method: "POST", path: "/emails", headers, body: {} });
        call.leaving();
        call.answered(200);
      }
    };
    return { memory, told, crossings, deaths: () => deaths };
  };

  test("befall the same items in the same way in whatever order they come", () => {
    const [one, other] = [started(5), started(5)];
    one.crossings();
    other.crossings();
    expect(one.told.length).toBeGreaterThan(20);
    expect(other.told).toEqual(one.told);
    expect(one.deaths()).toBeGreaterThan(0);
  });

  test("cease when they are switched off", () => {
    const { memory, told, crossings, deaths } = started(5);
    memory.setDisturbing(false);
    crossings();
    expect(told).toEqual([]);
    expect(deaths()).toBe(0);
  });
});
