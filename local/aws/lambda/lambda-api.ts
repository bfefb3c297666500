import { createServer, type IncomingMessage } from "node:http";
import { z } from "zod";
import type { EventSourceMapping, MappingProperties } from "../event-source-mapping.ts";
import { AwsError, closeServer, listenLocally, readBody } from "../json-protocol.ts";

/** An event source mapping of the stack with what Lambda's API tells of it. */
export interface MappedFunction {
  uuid: string;
  functionArn: string;
  properties: MappingProperties;
  mapping: EventSourceMapping;
}

export interface LambdaApi {
  url: string;
  close: () => Promise<void>;
}

const root = "/2015-03-31/event-source-mappings";
/** Lambda lists at most a hundred at a time, whatever is asked for. */
const largestPage = 100;

const listQuery = z.object({
  FunctionName: z.string().max(256).optional(),
  EventSourceArn: z.string().optional(),
  Marker: z.string().optional(),
  MaxItems: z.coerce.number().int().min(1).max(10_000).default(largestPage),
});

/** The other properties are the stack's: `cdk deploy` changes them there, a new start here. */
const updateBody = z.strictObject({ Enabled: z.boolean().optional() });

/**
 * As much of Lambda's own API as the station uses, on 127.0.0.1: to list, get and switch event source mappings. A
 * change answers 202 and is done when the mapping's last poll is over, as on AWS.
 */
export async function startLambdaApi(options: {
  functionArns: readonly string[];
  /** The mappings by then; none before the stack is up. */
  mappings: () => readonly MappedFunction[];
  now: () => number;
  onTrouble: (what: string, error: unknown) => void;
}): Promise<LambdaApi> {
  const { functionArns, mappings, now, onTrouble } = options;
  const changedMs = new Map<string, number>();
  const startedMs = now();

  const describe = ({ uuid, functionArn, properties, mapping }: MappedFunction, state: string = mapping.state()) => ({
    UUID: uuid,
    BatchSize: properties.BatchSize,
    MaximumBatchingWindowInSeconds: properties.MaximumBatchingWindowInSeconds,
    EventSourceArn: properties.EventSourceArn,
    FunctionArn: functionArn,
    FunctionResponseTypes: properties.FunctionResponseTypes,
    ...(properties.ScalingConfig ? { ScalingConfig: properties.ScalingConfig } : {}),
    LastModified: (changedMs.get(uuid) ?? startedMs) / 1000,
    State: state,
    StateTransitionReason: "USER_INITIATED",
  });

  const find = (uuid: string): MappedFunction => {
    const found = mappings().find((each) => each.uuid === uuid);
    if (!found) throw new AwsError("ResourceNotFoundException", "The resource you requested does not exist.", 404);
    return found;
  };

  const list = (search: URLSearchParams) => {
    const query = parsed(listQuery, Object.fromEntries(search));
    const wanted = query.FunctionName === undefined ? undefined : functionNamed(functionArns, query.FunctionName);
    const matching = mappings().filter(
      ({ functionArn, properties }) =>
        (wanted === undefined || functionArn === wanted) &&
        (query.EventSourceArn === undefined || properties.EventSourceArn === query.EventSourceArn),
    );
    const from = query.Marker === undefined ? 0 : Number(query.Marker);
    const to = from + Math.min(query.MaxItems, largestPage);
    if (!Number.isSafeInteger(from)) throw invalid(`Marker: ${query.Marker} is none that was given out`);
    return {
      EventSourceMappings: matching.slice(from, to).map((each) => describe(each)),
      ...(to < matching.length ? { NextMarker: String(to) } : {}),
    };
  };

  const update = (uuid: string, body: unknown) => {
    const found = find(uuid);
    const { Enabled } = parsed(updateBody, body);
    const before = found.mapping.state();
    if (before === "Disabling")
      throw new AwsError("ResourceInUseException", "Cannot update the event source mapping because it is in use.", 400);
    if (Enabled === undefined || Enabled === (before === "Enabled")) return describe(found);
    changedMs.set(uuid, now());
    found.mapping.setEnabled(Enabled).catch((error: unknown) => onTrouble(`switching the mapping ${uuid}`, error));
    return describe(found, Enabled ? "Enabling" : "Disabling");
  };

  const route = async (request: IncomingMessage): Promise<{ status: number; body: unknown }> => {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    const path = url.pathname.replace(/\/$/, "");
    const uuid = path.startsWith(`${root}/`) ? decodeURIComponent(path.slice(root.length + 1)) : undefined;
    if (request.method === "GET" && path === root) return { status: 200, body: list(url.searchParams) };
    if (request.method === "GET" && uuid !== undefined) return { status: 200, body: describe(find(uuid)) };
    if (request.method === "PUT" && uuid !== undefined)
      return { status: 202, body: update(uuid, json(await readBody(request))) };
    throw new AwsError("UnknownOperationException", `${request.method} ${path} is no operation on this machine.`, 404);
  };

  const server = createServer((request, response) => {
    const answer = (status: number, body: unknown, headers: Record<string, string> = {}) => {
      response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
    };
    route(request)
      .then(({ status, body }) => answer(status, body))
      .catch((error: unknown) => {
        const known =
          error instanceof AwsError ? error : new AwsError("ServiceException", String(error), 500, { cause: error });
        answer(
          known.status,
          { Type: known.status < 500 ? "User" : "Service", Message: known.message },
          { "x-amzn-errortype": known.code },
        );
      });
  });
  const port = await listenLocally(server, 0);
  return { url: `http://127.0.0.1:${port}`, close: () => closeServer(server) };
}

/** Lambda takes a function's name, its ARN, or the end of its ARN from the account on. */
function functionNamed(functionArns: readonly string[], wanted: string): string {
  const found = functionArns.find((arn) => arn === wanted || arn.endsWith(`:${wanted}`));
  if (!found) throw new AwsError("ResourceNotFoundException", `Function not found: ${wanted}`, 404);
  return found;
}

function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw invalid(z.prettifyError(result.error));
}

function json(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw new AwsError("InvalidRequestContentException", "Could not parse request body into json.", 400, {
      cause: error,
    });
  }
}

const invalid = (message: string) => new AwsError("InvalidParameterValueException", message, 400);
