/**
 * Builds something once, on first use, and forgets a failed build so that the next use tries again. With an `expiry`
 * it is built anew once it is that old: what was made with a secret must not outlive the secret's rotation.
 */
export function lazy<T>(
  build: () => Promise<T>,
  expiry?: { maximumAgeMs: number; now: () => number },
): () => Promise<T> {
  let built: Promise<T> | undefined;
  let builtMs = 0;
  return () => {
    if (expiry && built && expiry.now() - builtMs >= expiry.maximumAgeMs) built = undefined;
    if (built) return built;
    builtMs = expiry?.now() ?? 0;
    const building = build().catch((error: unknown) => {
      if (built === building) built = undefined;
      throw error;
    });
    built = building;
    return building;
  };
}
