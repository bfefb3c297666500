import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { z } from "zod";

/** An error as AWS returns it: `code` becomes `__type`, which the SDK makes the name of the error it throws. */
export class AwsError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 400, options?: ErrorOptions) {
    super(message, options);
    this.name = "AwsError";
    this.code = code;
    this.status = status;
  }
}

export type JsonOperations = Record<string, (input: unknown) => Promise<unknown>>;

export interface JsonServiceOptions {
  /** What stands before the operation in `X-Amz-Target`: "AWSStepFunctions", "secretsmanager", "AmazonSQS"... */
  targetPrefix: string;
  /** By operation name. What one returns is sent as JSON; timestamps are epoch seconds. */
  operations: JsonOperations;
  /** 0 or absent: any free port. */
  port?: number;
  /** Told of errors that are not an AwsError; the caller only sees `InternalFailure`. */
  onUnexpectedError?: (error: unknown, operation: string) => void;
}

export interface JsonService {
  url: string;
  close: () => Promise<void>;
}

/** Parses what an operation was sent, or throws the `ValidationException` that AWS answers. */
export function parseInput<T>(schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new AwsError("ValidationException", z.prettifyError(parsed.error));
}

/** Serves one AWS service that speaks the JSON 1.0 or 1.1 protocol, on 127.0.0.1. */
export async function startJsonService(options: JsonServiceOptions): Promise<JsonService> {
  const server = createServer((request, response) => {
    answer(request, options)
      .then((reply) => send(request, response, reply))
      .catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  const port = await listenLocally(server, options.port ?? 0);
  return { url: `http://127.0.0.1:${port}`, close: () => closeServer(server) };
}

/** Resolves with the port once `server` accepts connections on 127.0.0.1; rejects when the port is taken. */
export function listenLocally(server: ReturnType<typeof createServer>, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      const address = server.address();
      if (address === null || typeof address === "string") reject(new TypeError("the server has no TCP port"));
      else resolve(address.port);
    });
  });
}

/** Ends `server` and every connection to it. */
export function closeServer(server: ReturnType<typeof createServer>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** The whole body of a request. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

interface Reply {
  status: number;
  body: unknown;
}

async function answer(request: IncomingMessage, options: JsonServiceOptions): Promise<Reply> {
  const operationName = operationOf(request, options.targetPrefix);
  const operation =
    operationName !== undefined && Object.hasOwn(options.operations, operationName)
      ? options.operations[operationName]
      : undefined;
  const body = await readBody(request);
  try {
    if (operation === undefined) {
      throw new AwsError("UnknownOperationException", `${request.headers["x-amz-target"]} is not an operation here.`);
    }
    return { status: 200, body: (await operation(parseBody(body))) ?? {} };
  } catch (error) {
    if (error instanceof AwsError) {
      return { status: error.status, body: { __type: error.code, message: error.message } };
    }
    options.onUnexpectedError?.(error, operationName ?? "");
    const message = error instanceof Error ? error.message : String(error);
    return { status: 500, body: { __type: "InternalFailure", message } };
  }
}

function operationOf(request: IncomingMessage, targetPrefix: string): string | undefined {
  const target = request.headers["x-amz-target"];
  if (typeof target !== "string" || !target.startsWith(`${targetPrefix}.`)) return undefined;
  return target.slice(targetPrefix.length + 1);
}

function parseBody(body: Buffer): unknown {
  if (body.length === 0) return {};
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw new AwsError("SerializationException", "The request body is not JSON.", 400, { cause: error });
  }
}

function send(request: IncomingMessage, response: ServerResponse, reply: Reply): void {
  response.writeHead(reply.status, {
    "content-type": request.headers["content-type"] ?? "application/x-amz-json-1.0",
    "x-amzn-requestid": randomUUID(),
  });
  response.end(JSON.stringify(reply.body));
}
