import type { APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { pageReply } from "./reply.ts";

/** Why a request was not carried out. Titles are RFC 9457 problem types: stable names for programs to branch on. */
export const problemKinds = {
  "invalid-body": { status: 400, title: "The request body is not valid" },
  "invalid-request": { status: 400, title: "The request is not valid" },
  unauthorized: { status: 401, title: "Credentials are missing or wrong" },
  "not-found": { status: 404, title: "No such path" },
  "method-not-allowed": { status: 405, title: "The path does not take this method" },
  conflict: { status: 409, title: "The same request is being carried out" },
  "body-too-large": { status: 413, title: "The request body is too large" },
  "unsupported-media-type": { status: 415, title: "The content type is not supported" },
  "idempotency-mismatch": { status: 422, title: "The idempotency key was used for another request" },
  "too-many-requests": { status: 429, title: "Too many requests" },
  unavailable: { status: 503, title: "Something the station depends on does not answer" },
  "missing-configuration": { status: 503, title: "The station is not fully configured" },
  "internal-error": { status: 500, title: "Something went wrong on our side" },
} as const;

export type ProblemKind = keyof typeof problemKinds;

/** Thrown anywhere in a route to answer with a problem body. */
export class Problem extends Error {
  override name = "Problem";
  readonly kind: ProblemKind;
  readonly headers: Record<string, string>;
  readonly errors: { field: string; message: string }[];

  constructor(
    kind: ProblemKind,
    detail: string,
    more: { headers?: Record<string, string>; errors?: { field: string; message: string }[] } = {},
  ) {
    super(detail);
    this.kind = kind;
    this.headers = more.headers ?? {};
    this.errors = more.errors ?? [];
  }
}

/** The problem as JSON (RFC 9457), or as a page where the caller is a person with a browser. */
export function problemReply(
  problem: Problem,
  correlationId: string,
  page?: (problem: Problem) => string,
): APIGatewayProxyStructuredResultV2 {
  const { status, title } = problemKinds[problem.kind];
  if (page) {
    const reply = pageReply(status, page(problem));
    return { ...reply, headers: { ...reply.headers, ...problem.headers } };
  }
  return {
    statusCode: status,
    headers: { "content-type": "application/problem+json", ...problem.headers },
    body: JSON.stringify({
      type: `urn:flux-station:problem:${problem.kind}`,
      title,
      status,
      detail: problem.message,
      ...(problem.errors.length > 0 ? { errors: problem.errors } : {}),
      correlation_id: correlationId,
    }),
  };
}
