import * as z from "zod";
import { line, optionalLines, pathSegment, wholeNumber } from "./fields.ts";

export const collectionSharedData = z.object({
  collectionName: line(200),
  collectionDescription: optionalLines(1_000),
  senderName: line(100),
  collectionSlug: pathSegment,
  senderSlug: pathSegment,
  itemCount: wholeNumber,
});
export type CollectionSharedData = z.infer<typeof collectionSharedData>;
