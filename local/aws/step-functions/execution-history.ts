/** Events in one Standard execution: https://docs.aws.amazon.com/step-functions/latest/dg/bp-history-limit.html */
export const HISTORY_LIMIT = 25_000;

/** As GetExecutionHistory returns it; the details are under a key named after the type. */
export interface HistoryEvent {
  id: number;
  previousEventId: number;
  /** Epoch seconds. */
  timestamp: number;
  type: string;
  [details: string]: unknown;
}

type Details = Record<string, unknown>;

/** Where an execution writes down what happens to it. */
export interface History {
  /** Throws HistoryFullError instead of writing the event that would be the last, unless the execution ends with it. */
  add: (type: string, details?: Details) => void;
  events: () => readonly HistoryEvent[];
}

/** The execution has no room for another event, and fails. */
export class HistoryFullError extends Error {
  constructor(limit: number) {
    super(`The execution reached the maximum number of history events (${limit}).`);
    this.name = "HistoryFullError";
  }
}

/** A history in memory. Inside Map and Parallel `previousEventId` is the event before, not the one of the branch. */
export function createHistory(options: { now: () => number; limit?: number }): History {
  const limit = options.limit ?? HISTORY_LIMIT;
  const events: HistoryEvent[] = [];
  return {
    add: (type, details) => {
      const id = events.length + 1;
      if (id >= limit && !/^Execution(Succeeded|Failed|TimedOut|Aborted)$/.test(type))
        throw new HistoryFullError(limit);
      const key = detailsKey(type);
      events.push({
        id,
        previousEventId: id - 1,
        timestamp: options.now() / 1000,
        type,
        ...(details === undefined || key === undefined ? {} : { [key]: details }),
      });
    },
    events: () => events,
  };
}

/** Express executions keep no history and have no limit of events. */
export const noHistory: History = { add: () => {}, events: () => [] };

/** Events of one shape share a key: all entered states have theirs under `stateEnteredEventDetails`. */
function detailsKey(type: string): string | undefined {
  if (type.endsWith("StateEntered")) return "stateEnteredEventDetails";
  if (type.endsWith("StateExited")) return "stateExitedEventDetails";
  return `${type[0]?.toLowerCase()}${type.slice(1)}EventDetails`;
}
