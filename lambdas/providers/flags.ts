import {
  FlagNotFoundError,
  OpenFeature,
  type Provider,
  type ResolutionDetails,
  StandardResolutionReasons,
  TypeMismatchError,
} from "@openfeature/server-sdk";
import type { FlagName } from "../../registry/flags.ts";
import { log } from "../runtime/logger.ts";

export interface Flags {
  /** Never fails: what cannot be read is as it was read last, or as the config has it. */
  isOn(flag: FlagName): Promise<boolean>;
}

interface FlagsOptions {
  /** Any of OpenFeature's; it must not run in the background, since nothing runs after a response. */
  provider: Provider;
  /** Who asks: the stage's name. */
  stage: string;
  /** What each flag is until it has been read. */
  initially: Record<FlagName, boolean>;
}

/** The station's flags, asked of `provider` through OpenFeature. Each change that is seen is one log line. */
export async function createFlags({ provider, stage, initially }: FlagsOptions): Promise<Flags> {
  const domain = provider.metadata.name;
  await OpenFeature.setProviderAndWait(domain, provider);
  const client = OpenFeature.getClient(domain, { targetingKey: stage });
  const last = new Map<FlagName, boolean>();
  return {
    async isOn(flag) {
      const { value, errorMessage, errorCode } = await client.getBooleanDetails(
        flag,
        last.get(flag) ?? initially[flag],
      );
      if (errorCode)
        log.warn("flag.unreadable", { flag, on: value, provider: domain, errorCode, reason: errorMessage });
      else if (last.get(flag) !== value) log.info("flag.read", { flag, on: value, provider: domain });
      last.set(flag, value);
      return value;
    },
  };
}

/** What a source says of a flag; undefined when it does not know it. */
export type ReadFlag = (flag: string, stage: string) => Promise<boolean | undefined>;

/** A provider of OpenFeature for a source that only has flags which are on or off. */
export function onOffProvider(name: string, read: ReadFlag): Provider {
  const noSuchType = async () => {
    throw new TypeMismatchError(`${name} only has flags that are on or off`);
  };
  return {
    metadata: { name },
    runsOn: "server",
    async resolveBooleanEvaluation(flag, _default, { targetingKey = "" }): Promise<ResolutionDetails<boolean>> {
      const value = await read(flag, targetingKey);
      if (value === undefined) throw new FlagNotFoundError(`${name} does not know ${flag}; deploy the stack again`);
      return { value, reason: StandardResolutionReasons.TARGETING_MATCH };
    },
    resolveStringEvaluation: noSuchType,
    resolveNumberEvaluation: noSuchType,
    resolveObjectEvaluation: noSuchType,
  };
}
