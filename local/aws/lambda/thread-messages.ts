import type { InvokeOutcome } from "./invoke.ts";

/** Given to the thread at its start. */
export interface ThreadStart {
  functionName: string;
  memoryMb: number;
  assetDir: string;
  handler: string;
  clockBuffer: SharedArrayBuffer;
  hooks?: ThreadHookModule;
}

/** A module that the thread loads before the bundle; its `installHooks` gets `data`. */
export interface ThreadHookModule {
  url: string;
  data: unknown;
}

/** Whoever installs these sees what the thread does, and may end it. */
export interface ThreadHooks {
  /** How far this thread's clock is ahead of the station's. */
  clockSkewMs(): number;
  /** A request came in. */
  invoked(event: unknown): void;
  /** The handler is done; the host does not know yet. */
  answering(): void;
}

export type InstallThreadHooks = (start: {
  data: unknown;
  functionName: string;
  /** Tells the host something; what, is between the hooks and whoever had them loaded. */
  report(told: unknown): void;
}) => ThreadHooks;

/** One request from the host to the thread. */
export interface ThreadRequest {
  requestId: string;
  functionArn: string;
  timeoutMs: number;
  /** JSON text, as it would travel. */
  event: string;
}

export type InvokeFailure = Extract<InvokeOutcome, { ok: false }>;

/** What the thread tells the host. `pending` names the resources the function left behind, one word per resource. */
export type ThreadReport =
  | { kind: "ready" }
  | { kind: "log"; line: string; requestId: string | undefined }
  | { kind: "initFailed"; failure: InvokeFailure }
  | { kind: "hook"; told: unknown }
  | { kind: "settled"; response: { ok: true; json: string } | InvokeFailure; pending: string[] };
