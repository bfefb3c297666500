import { createHash } from "node:crypto";
import { createSeededRandom } from "../seeded-random.ts";

/**
 * A unit vector for a text, always the same for the same text. It is the sum of one random direction per word, so that
 * texts which share words lie near each other, as with a real model.
 */
export function embed(text: string, dimensions: number): number[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [text];
  const sum = new Float64Array(dimensions);
  for (const word of words) {
    const random = createSeededRandom(createHash("sha256").update(word).digest().readUInt32BE(0));
    for (let axis = 0; axis < dimensions; axis += 1) sum[axis] = (sum[axis] ?? 0) + random() - 0.5;
  }
  return normalise([...sum]);
}

/** The leading part of a vector, at length one again: how the `dimensions` parameter shortens. */
export function shorten(vector: number[], dimensions: number): number[] {
  return vector.length === dimensions ? vector : normalise(vector.slice(0, dimensions));
}

function normalise(vector: number[]): number[] {
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}
