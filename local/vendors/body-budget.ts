export type BodyBudget = {
  /** Counts a body; `drop` is called when newer ones need the room. */
  hold: (size: number, drop: () => void) => void;
};

/**
 * Bounds what a stand-in keeps of the bodies it was sent: a soak sends gigabytes. The oldest are dropped first, the
 * newest one never. Sizes are in characters.
 */
export function createBodyBudget(maximumSize: number): BodyBudget {
  let held: { size: number; drop: () => void }[] = [];
  let oldest = 0;
  let total = 0;
  return {
    hold(size, drop) {
      held.push({ size, drop });
      total += size;
      while (total > maximumSize && oldest < held.length - 1) {
        const body = held[oldest];
        oldest += 1;
        if (!body) continue;
        body.drop();
        total -= body.size;
      }
      // Cutting now and then, not at each drop, keeps the cost per body constant.
      if (oldest > 1_000 && oldest * 2 > held.length) {
        held = held.slice(oldest);
        oldest = 0;
      }
    },
  };
}
