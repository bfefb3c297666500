import { request } from "node:http";

export interface Answer {
  status: number;
  body: string;
}

/** Calls the station's API from a loopback address of one's own, so that its rate limits see many clients. */
export function callFrom(
  sourceIp: string,
  {
    method,
    url,
    headers = {},
    body,
  }: { method: "GET" | "POST"; url: string; headers?: Record<string, string>; body?: string },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      {
        method,
        localAddress: sourceIp,
        headers: { ...headers, ...(body === undefined ? {} : { "content-length": Buffer.byteLength(body) }) },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** The loopback address of the n-th visitor. */
export const visitorIp = (index: number): string => `127.10.${Math.floor(index / 250)}.${(index % 250) + 1}`;
