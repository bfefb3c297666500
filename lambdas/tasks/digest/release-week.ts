import * as z from "zod";
import type { Task } from "../../runtime/task.ts";
import { claimedWeek, type DigestParts } from "./parts.ts";

const release = claimedWeek.extend({ as: z.enum(["failed", "empty"]) });

/** Lets a later run claim the week again; it goes on where this one stopped. */
export const releaseWeek =
  ({ claims }: DigestParts): Task =>
  async (input, { execution }) => {
    const { week, as } = release.parse(input);
    await claims.advance(week, execution, { state: as });
    return { worked: as === "empty" };
  };
