import http from "node:http";
import { syncBuiltinESMExports } from "node:module";
import { Readable } from "node:stream";
import { field, parsed, text } from "./classify-call.ts";
import type { Disturbances } from "./disturbances.ts";
import type { Service } from "./fault-plan.ts";

const services: Record<string, Service> = {
  DynamoDB: "dynamodb",
  AmazonSQS: "sqs",
  AWSStepFunctions: "stepfunctions",
};

/** Errors of AWS, worded as its services word them. */
const throttled = {
  status: 400,
  type: "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
  message:
    "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level with the UpdateTable API.",
};
const unavailable = { status: 503, type: "ServiceUnavailable", message: "Injected by the chaos sweep" };

/** Lets the calls of AWS's SDK, which go by `node:http`, meet what the plan has for them. */
export function watchHttp(disturbances: Disturbances): void {
  http.request = new Proxy(http.request, {
    apply(target, self, args: unknown[]) {
      const [options, onResponse] = args;
      const headers = Object.fromEntries(
        Object.entries(field(options, "headers") ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)]),
      );
      const service = services[headers["x-amz-target"]?.split(/[_.]/)[0] ?? ""];
      if (!service || typeof onResponse !== "function") return Reflect.apply(target, self, args);
      return watchRequest({ service, options, headers, onResponse }, (listener) =>
        Reflect.apply(target, self, [options, listener]),
      );
    },
  });
  syncBuiltinESMExports();

  function watchRequest(
    call: { service: Service; options: unknown; headers: Record<string, string>; onResponse: object },
    make: (onResponse: (response: http.IncomingMessage) => void) => http.ClientRequest,
  ): http.ClientRequest {
    const { service, options, headers } = call;
    let disturbed: ReturnType<Disturbances["call"]> | undefined;
    const answer = (response: unknown) => {
      if (typeof call.onResponse === "function") Reflect.apply(call.onResponse, undefined, [response]);
    };
    const request = make((response) => {
      disturbed?.answered(response.statusCode ?? 0);
      if (disturbed?.fault !== "lost") return answer(response);
      response.resume();
      request.destroy(Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }));
    });
    // The body comes whole with `end`: only then is known what the call is, and nothing has left yet.
    const end = request.end;
    request.end = (...args: unknown[]) => {
      const [chunk] = args;
      const body = parsed(typeof chunk === "string" || Buffer.isBuffer(chunk) ? chunk.toString() : "");
      const method = text(field(options, "method"));
      disturbed = disturbances.call({ service, method, path: text(field(options, "path")), headers, body });
      disturbed.leaving();
      const { fault } = disturbed;
      if (fault === "throttle" || fault === "rate5xx") {
        answer(errorResponse(fault === "throttle" ? throttled : unavailable));
        request.destroy();
        return request;
      }
      return Reflect.apply(end, request, args);
    };
    return request;
  }
}

function errorResponse({ status, type, message }: typeof throttled): Readable {
  const body = JSON.stringify({ __type: type, message });
  return Object.assign(Readable.from([Buffer.from(body)]), {
    statusCode: status,
    statusMessage: "",
    headers: { "content-type": "application/x-amz-json-1.0", "x-amzn-requestid": "chaos" },
  });
}
