import { LambdaClient, paginateListEventSourceMappings, UpdateEventSourceMappingCommand } from "@aws-sdk/client-lambda";
import { patience } from "./patience.ts";

/** What feeds a queue's messages to its worker. */
export interface EventSourceMapping {
  uuid: string;
  functionName: string;
  /** `Enabled` and `Disabled` last; the others are on their way, and Lambda refuses to change them meanwhile. */
  state: string;
}

export interface EventSourceMappings {
  /** All of the account and region, or those of one function. */
  list(functionName?: string): Promise<EventSourceMapping[]>;
  /** Begins the change, which takes Lambda up to a minute. Messages that were taken out already are carried out. */
  setEnabled(uuid: string, enabled: boolean): Promise<void>;
}

export function createEventSourceMappings(client = new LambdaClient(patience)): EventSourceMappings {
  return {
    async list(functionName) {
      const found: EventSourceMapping[] = [];
      const pages = paginateListEventSourceMappings({ client }, functionName ? { FunctionName: functionName } : {});
      for await (const { EventSourceMappings = [] } of pages)
        for (const { UUID, FunctionArn, State } of EventSourceMappings)
          if (UUID && FunctionArn && State)
            // `arn:aws:lambda:<region>:<account>:function:<name>`, with an alias behind it where there is one.
            found.push({ uuid: UUID, functionName: FunctionArn.split(":")[6] ?? "", state: State });
      return found;
    },
    async setEnabled(uuid, enabled) {
      await client.send(new UpdateEventSourceMappingCommand({ UUID: uuid, Enabled: enabled }));
    },
  };
}
