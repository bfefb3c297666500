import { appendFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { freshAssembly } from "./assembly/fresh-assembly.ts";
import { createChaos } from "./chaos/chaos.ts";
import { createClockBuffer, installClock } from "./clock.ts";
import { startControl } from "./control.ts";
import { lockHome, writeDescription } from "./home.ts";
import { refuseTakenPort } from "./ports.ts";
import { homeIn, startStation } from "./station.ts";
import { openRecording } from "./vendors/recording.ts";
import { type VendorName, vendorNames } from "./vendors/start-vendors.ts";

/** Where the API answers unless another port is asked for. */
const defaultPort = 8787;

/** Signals closer together than this are one press of Ctrl-C. */
const sameSignalMs = 500;

/** Where a live vendor's key comes from; nothing but `--live` makes anyone look there. */
const liveKeyVariables: Record<VendorName, string> = {
  resend: "RESEND_API_KEY",
  heartbeat: "BETTERSTACK_HEARTBEAT_ID",
};

const root = join(import.meta.dirname, "..");

async function main(): Promise<void> {
  const startedMs = performance.now();
  const values = commandLine();
  const say = (text: string) => {
    if (!values.quiet) console.log(text);
  };
  const clock = installClock(createClockBuffer());
  const home = resolve(values.home ?? homeIn(root));
  const live = liveVendors(values.live);
  const port = portOf(values.port);

  // Closed in reverse order, once, whatever it was that asked for it.
  const closers: (() => Promise<void>)[] = [];
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= (async () => {
      for (const closeOne of closers.reverse()) await closeOne();
    })();
    return closing;
  };
  let leavingSinceMs = 0;
  const leave = (code: number) => {
    // The terminal signals every process of the group, and the parent passes the signal on: one Ctrl-C comes twice.
    if (closing && performance.now() - leavingSinceMs < sameSignalMs) return;
    // A second one does not wait: everything that could outlive this process watches for its end.
    if (closing) process.exit(code);
    leavingSinceMs = performance.now();
    say("\nStopping...");
    close().then(
      () => process.exit(code),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  };
  process.on("SIGINT", () => leave(0));
  process.on("SIGTERM", () => leave(0));
  process.on("SIGHUP", () => leave(0));
  process.on("disconnect", () => leave(0));

  try {
    closers.push(await lockHome(home));
    await refuseTakenPort(port);
    const assemblyDir = values.assembly
      ? Promise.resolve(values.assembly)
      : freshAssembly(root, () => say("Synthesizing the stack (its sources changed)..."));
    // Awaited by the station once the rest is up; until then a failure must not count as unhandled.
    assemblyDir.catch(() => undefined);
    const recordingPath = process.env.STATION_RECORD;
    const recording = recordingPath ? openRecording(resolve(recordingPath)) : undefined;
    if (recording) closers.push(async () => recording.close());
    const logFile = join(home, "station.log");
    const writeLog = (line: string) => appendFileSync(logFile, `${line}\n`, { mode: 0o600 });
    const chaos = values.chaos ? await createChaos(home) : undefined;
    const station = await startStation({
      home,
      assemblyDir,
      port,
      clock,
      live,
      ...(recording ? { record: recording.record } : {}),
      ...(chaos ? { disturbance: chaos.disturbance } : {}),
      onLog: (line) => writeLog(line),
      onTrouble: (what, error) =>
        writeLog(JSON.stringify({ level: "ERROR", message: "station.trouble", what, error: String(error) })),
    });
    closers.push(() => station.close());
    const { description } = station;
    const control = await startControl(station, {
      now: clock.now,
      secret: description.credentials.internalSecret,
      ...(chaos ? { chaos: chaos.routes(clock, station.stack) } : {}),
    });
    closers.push(() => control.close());
    const published = { ...description, endpoints: { ...description.endpoints, control: control.url } };
    closers.push(await writeDescription(home, published));
    process.send?.({ ready: published });

    say(`\nFlux Station is up after ${((performance.now() - startedMs) / 1000).toFixed(1)} s.\n`);
    say(`  API        ${description.api}   try: curl ${description.api}/health`);
    for (const [name, url] of Object.entries(description.vendors))
      say(`  ${name.padEnd(10)} ${url}   stand-in: /_state /_calls /_faults`);
    for (const name of Object.keys(live)) say(`  ${name.padEnd(10)} LIVE: the real vendor gets what the station sends`);
    for (const [name, url] of Object.entries(description.endpoints))
      say(`  ${name.padEnd(14)} ${withoutPassword(url)}`);
    say(
      `\n  Credentials and addresses: ${join(home, "local.json")}\n  Function logs:             ${logFile}\n\nCtrl-C stops it.`,
    );
  } catch (error) {
    await close().catch((secondError: unknown) => console.error(secondError));
    console.error(error instanceof Error ? `The station did not start: ${error.message}` : error);
    process.exit(1);
  }
}

/** What was asked for; a mistake in it is said without a stack. */
function commandLine() {
  try {
    return parseArgs({
      options: {
        port: { type: "string" },
        live: { type: "string", multiple: true, default: [] },
        home: { type: "string" },
        assembly: { type: "string" },
        quiet: { type: "boolean", default: false },
        // For the chaos sweep: functions die and calls fail when told to over the control address.
        chaos: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}

function portOf(given: string | undefined): number {
  const port = given === undefined ? defaultPort : Number(given);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  console.error(`--port takes a number from 0 (any free one) to 65535, not "${given}".`);
  process.exit(1);
}

/** The key of each vendor that is to be reached for real; all that is wrong is said at once. */
function liveVendors(names: string[]): Partial<Record<VendorName, string>> {
  const live: Partial<Record<VendorName, string>> = {};
  const problems: string[] = [];
  for (const name of names) {
    const vendor = vendorNames.find((candidate) => candidate === name);
    if (!vendor) {
      problems.push(`There is no vendor "${name}"; --live takes ${vendorNames.join(", ")}.`);
      continue;
    }
    const key = process.env[liveKeyVariables[vendor]];
    if (key) live[vendor] = key;
    else problems.push(`--live ${vendor} needs its key in the environment variable ${liveKeyVariables[vendor]}.`);
  }
  if (problems.length === 0) return live;
  console.error(problems.join("\n"));
  process.exit(1);
}

const withoutPassword = (url: string): string => url.replace(/\/\/([^:/@]+):[^@]+@/, "//$1:…@");

await main();
