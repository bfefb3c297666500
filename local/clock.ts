const REAL_DATE = Symbol.for("flux-station.real-date");

/** The station's time: the machine's clock plus an offset that every thread sharing the buffer sees at once. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Moves the time forward by whole milliseconds, for all threads. */
  advance(ms: number): void;
  buffer: SharedArrayBuffer;
}

/** The memory that holds the offset: make one per station and hand it to each thread. */
export function createClockBuffer(): SharedArrayBuffer {
  return new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT);
}

/** Reads and moves the station's time without touching `Date`. */
export function clockOver(buffer: SharedArrayBuffer): Clock {
  const offset = new BigInt64Array(buffer);
  const machineDate = realDate();
  return {
    buffer,
    now: () => machineDate.now() + Number(Atomics.load(offset, 0)),
    advance: (ms) => {
      if (!Number.isSafeInteger(ms) || ms < 0) {
        throw new RangeError(`The clock only moves forward by whole milliseconds, not by ${ms}.`);
      }
      Atomics.add(offset, 0, BigInt(ms));
    },
  };
}

/**
 * Makes `Date` of the calling thread follow the station's time (`Date.now()`, `new Date()`, `Date()`). Timers,
 * `performance` and `Intl.DateTimeFormat().format()` without an argument keep the machine's own time. `skewMs` is how
 * far this thread's clock is ahead of the station's.
 */
export function installClock(buffer: SharedArrayBuffer, skewMs: () => number = () => 0): Clock {
  const exact = clockOver(buffer);
  const clock = { ...exact, now: () => exact.now() + skewMs() };
  const MachineDate = realDate();
  const StationDate = new Proxy(MachineDate, {
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length === 0 ? [clock.now()] : args, newTarget),
    apply: () => new MachineDate(clock.now()).toString(),
    get: (target, key, receiver) => {
      if (key === "now") return clock.now;
      if (key === REAL_DATE) return MachineDate;
      return Reflect.get(target, key, receiver);
    },
  });
  // Libraries compare `value.constructor` with `Date`; without this no date would pass.
  MachineDate.prototype.constructor = StationDate;
  globalThis.Date = StationDate;
  return clock;
}

/** Gives the calling thread its machine clock back. */
export function uninstallClock(): void {
  const MachineDate = realDate();
  MachineDate.prototype.constructor = MachineDate;
  globalThis.Date = MachineDate;
}

function realDate(): DateConstructor {
  const marked: DateConstructor | undefined = Reflect.get(Date, REAL_DATE);
  return marked ?? Date;
}
