import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, it } from "vitest";
import { clockOver, createClockBuffer, installClock, uninstallClock } from "../../local/clock.ts";

const DAY_MS = 86_400_000;
const MachineDate = Date;

afterEach(uninstallClock);

describe("the station's clock", () => {
  it("moves every way of reading the current time, and nothing else about dates", () => {
    const clock = installClock(createClockBuffer());
    clock.advance(35 * DAY_MS);
    const expected = MachineDate.now() + 35 * DAY_MS;
    expect(Math.abs(Date.now() - expected)).toBeLessThan(1000);
    expect(Math.abs(Date.parse(new Date().toISOString()) - expected)).toBeLessThan(1000);
    expect(Math.abs(Date.parse(Date()) - expected)).toBeLessThan(2000);
    expect(new Date(0).toISOString()).toBe("1970-01-01T00:00:00.000Z");
    expect(Date.UTC(2026, 0)).toBe(MachineDate.UTC(2026, 0));
  });

  it("gives dates that pass for dates", () => {
    installClock(createClockBuffer());
    class Deadline extends Date {}
    expect(new Date()).toBeInstanceOf(Date);
    expect(new Date().constructor).toBe(Date);
    expect(structuredClone(new Date(5))).toEqual(new Date(5));
    expect(new Deadline(7)).toBeInstanceOf(Deadline);
  });

  it("counts the offset once when it is installed twice, and goes away when uninstalled", () => {
    const buffer = createClockBuffer();
    installClock(buffer);
    installClock(buffer).advance(DAY_MS);
    expect(Date.now() - MachineDate.now()).toBeLessThan(DAY_MS + 1000);
    uninstallClock();
    expect(Date).toBe(MachineDate);
  });

  it("is one time for all threads that share the buffer", async () => {
    const buffer = createClockBuffer();
    const thread = new Worker(
      `const { parentPort, workerData } = require("node:worker_threads");
       import(workerData.clock).then(({ installClock }) => {
         installClock(workerData.buffer);
         parentPort.on("message", () => parentPort.postMessage(Date.now()));
         parentPort.postMessage("ready");
       });`,
      {
        eval: true,
        workerData: { buffer, clock: new URL("../../local/clock.ts", import.meta.url).href },
        execArgv: [],
      },
    );
    const answer = () => new Promise<unknown>((resolve) => thread.once("message", resolve));
    try {
      await answer();
      clockOver(buffer).advance(10 * DAY_MS);
      const reply = answer();
      thread.postMessage("time?");
      expect(Math.abs(Number(await reply) - Date.now() - 10 * DAY_MS)).toBeLessThan(1000);
    } finally {
      await thread.terminate();
    }
  });

  it("refuses to go back or to move by parts of a millisecond", () => {
    const clock = clockOver(createClockBuffer());
    expect(() => clock.advance(-1)).toThrow("only moves forward");
    expect(() => clock.advance(0.5)).toThrow("only moves forward");
  });
});
