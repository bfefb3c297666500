import {
  IdempotencyAlreadyInProgressError,
  IdempotencyConfig,
  IdempotencyValidationError,
  makeIdempotent,
} from "@aws-lambda-powertools/idempotency";
import { DynamoDBPersistenceLayer } from "@aws-lambda-powertools/idempotency/dynamodb";
import type { APIGatewayProxyStructuredResultV2, Context } from "aws-lambda";
import { tableKeys } from "../../core/names.ts";
import { patience } from "../../runtime/patience.ts";
import { Problem } from "./problem.ts";

type Reply = APIGatewayProxyStructuredResultV2;

export interface KeyedRequest {
  /** Route, caller and the caller's own key. */
  key: string;
  /** Hash of the body: the same key with another body is a mistake, not a repetition. */
  bodyHash: string;
}

/** Runs work once per key and answers repetitions with the first answer, for a day. */
export type Once = (request: KeyedRequest, context: Context, work: () => Promise<Reply>) => Promise<Reply>;

const rememberedSeconds = 86_400;

export function createOnce(tableName: string): Once {
  const persistenceStore = new DynamoDBPersistenceLayer({
    tableName,
    clientConfig: patience,
    keyAttr: tableKeys.partition,
    sortKeyAttr: tableKeys.sort,
    staticPkValue: "idempotency",
    expiryAttr: tableKeys.expiry,
    statusAttr: "status",
    inProgressExpiryAttr: "inProgressExpiresAtMs",
    dataAttr: "reply",
    validationKeyAttr: "validation",
  });
  const config = new IdempotencyConfig({
    eventKeyJmesPath: "key",
    payloadValidationJmesPath: "bodyHash",
    expiresAfterSeconds: rememberedSeconds,
    throwOnNoIdempotencyKey: true,
  });
  return async (request, context, work) => {
    config.registerLambdaContext(context);
    const run = makeIdempotent(async (_request: KeyedRequest) => ({ ...(await work()) }), { persistenceStore, config });
    try {
      return await run(request);
    } catch (error) {
      throw problemOf(error);
    }
  };
}

function problemOf(error: unknown): unknown {
  if (error instanceof IdempotencyValidationError)
    return new Problem(
      "idempotency-mismatch",
      "This Idempotency-Key came before with another body. Use a new key for a new request.",
    );
  if (error instanceof IdempotencyAlreadyInProgressError)
    return new Problem("conflict", "A request with this Idempotency-Key is being carried out. Ask again in a moment.", {
      headers: { "retry-after": "1" },
    });
  return error;
}
