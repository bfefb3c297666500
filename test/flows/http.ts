import { request as httpRequest, type IncomingHttpHeaders } from "node:http";

/** What a server answered, with the body as it came. */
export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  /** The body as JSON; throws where it is none. */
  json<T = Record<string, unknown>>(): T;
}

export interface Request {
  /** By default POST when there is a body, else GET. */
  method?: string;
  headers?: Record<string, string>;
  /** Text and bytes go as they are; anything else as JSON, with the content type unless the headers name another. */
  body?: unknown;
  /** The 127.x.y.z address to call from; by default one that nobody used before, so that no limit is met by chance. */
  from?: string;
}

let used = 0;

/** An address of this machine that no request of this process came from yet. */
export function freshAddress(): string {
  used += 1;
  return `127.${100 + (process.pid % 100)}.${(used >> 8) & 255}.${used & 255}`;
}

/** One request over a connection of its own. Redirects are not followed. */
export function send(
  url: string,
  { method, headers = {}, body, from = freshAddress() }: Request = {},
): Promise<Answer> {
  const isRaw = typeof body === "string" || body instanceof Uint8Array;
  const payload = body === undefined ? undefined : isRaw ? body : JSON.stringify(body);
  const names = Object.keys(headers).map((name) => name.toLowerCase());
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      url,
      {
        method: method ?? (body === undefined ? "GET" : "POST"),
        headers: {
          ...(body !== undefined && !isRaw && !names.includes("content-type")
            ? { "content-type": "application/json" }
            : {}),
          ...(payload === undefined ? {} : { "content-length": String(Buffer.byteLength(payload)) }),
          ...headers,
        },
        localAddress: from,
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            json: <T>() => JSON.parse(text) as T,
          });
        });
      },
    );
    request.on("error", reject);
    request.end(payload);
  });
}
