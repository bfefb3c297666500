import { openRecording } from "../../local/vendors/recording.ts";
import { startResend } from "../../local/vendors/resend/server.ts";
import { apiKey } from "./settings.ts";

/** Resend's stand-in in a process of its own, so that nothing else here decides when a call arrives. */
const recording = process.env.STATION_RECORD ? openRecording(process.env.STATION_RECORD) : undefined;
const { url } = await startResend({ apiKey, now: Date.now, ...(recording ? { record: recording.record } : {}) });
process.on("disconnect", () => process.exit());
process.send?.({ ready: url });
