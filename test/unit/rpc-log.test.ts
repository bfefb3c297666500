import { createServer } from "node:http";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { z } from "zod";
import { createSupabase } from "../../lambdas/providers/supabase.ts";
import { withLogScope } from "../../lambdas/runtime/logger.ts";
import { createClock } from "./state.ts";

const cleanups: (() => unknown)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});
beforeAll(() => {
  vi.stubEnv("POWERTOOLS_LOG_LEVEL", "INFO");
});

/** The log lines of one call, which takes 40 ms of the clock. */
async function logOf(answer: { status: number; body: unknown }, args: Record<string, unknown>) {
  const clock = createClock();
  const server = createServer((_request, response) => {
    clock.advance(40);
    response.writeHead(answer.status, { "content-type": "application/json" }).end(JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => server.close());
  const address = z.object({ port: z.int() }).parse(server.address());
  const supabase = createSupabase({
    url: `http://127.0.0.1:${address.port}`,
    serviceRoleKey: "key",
    timeoutMs: 10_000,
    now: clock.now,
  });
  const outputs = [process.stdout, process.stderr].map((stream) => vi.spyOn(stream, "write").mockReturnValue(true));
  cleanups.push(...outputs.map((output) => () => output.mockRestore()));
  await withLogScope({ correlationId: "c-1" }, () =>
    supabase.call("claim_due_rows", args, z.unknown()).catch(() => undefined),
  );
  return outputs.flatMap(({ mock }) => mock.calls).map(([line]): Record<string, unknown> => JSON.parse(String(line)));
}

const args = { p_now: "2026-11-24T09:00:00Z", p_limit: 3, p_email: "ada@example.com", p_ids: ["a", "b"], p: { a: 1 } };
const redacted = { p_now: args.p_now, p_limit: 3, p_email: "string", p_ids: "array of 2", p: "object" };

test.each([
  ["a list", [{ id: 1 }, { id: 2 }, { id: 3 }], 3],
  ["one value", { id: 1 }, 1],
  ["nothing", null, 0],
])(
  "a call that answers %s is logged with its name, its arguments' kinds, the rows and how long it took",
  async (_what, body, rows) => {
    const lines = await logOf({ status: 200, body }, args);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      level: "INFO",
      message: "rpc.called",
      correlationId: "c-1",
      rpc_name: "claim_due_rows",
      row_count: rows,
      duration_ms: 40,
    });
    expect(lines[0]?.args).toEqual(redacted);
  },
);

test("a call that fails is logged with the same facts and the code instead of rows", async () => {
  const body = { code: "22023", message: "ada@example.com is no address", details: null, hint: null };
  const lines = await logOf({ status: 400, body }, args);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({
    level: "WARN",
    message: "rpc.failed",
    rpc_name: "claim_due_rows",
    duration_ms: 40,
    status: 400,
    code: "22023",
  });
  expect(lines[0]?.args).toEqual(redacted);
  expect(JSON.stringify(lines)).not.toContain("ada@");
});
