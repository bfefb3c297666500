import { build, type Plugin } from "esbuild";
import { workerName } from "../lambdas/core/names.ts";
import type { Station, StationConfig } from "../lambdas/core/station.ts";

/** Function name → its source file, derived from the registry's names: a function's file is where its name says. */
export function functionSources(station: Station): Record<string, string> {
  const zones = new Set(Object.values(station.routes).map((route) => route.zone));
  return {
    ...Object.fromEntries([...zones].map((zone) => [`${zone}-routes`, `lambdas/routes/${zone}.ts`])),
    ...Object.fromEntries(
      Object.keys(station.queues).map((queue) => [workerName(queue), `lambdas/workers/${queue}.ts`]),
    ),
    ...Object.fromEntries(
      Object.keys(station.workflows).map((workflow) => [`${workflow}-tasks`, `lambdas/tasks/${workflow}/handler.ts`]),
    ),
  };
}

/**
 * Bundles every function into `<outdir>/<function>/index.mjs` in one pass, minified, with source maps. The plugins are
 * for whoever wants other functions than the deployed ones.
 */
export async function bundleFunctions(station: Station, outdir: string, plugins: Plugin[] = []): Promise<void> {
  await build({
    entryPoints: Object.entries(functionSources(station)).map(([name, source]) => ({
      in: source,
      out: `${name}/index`,
    })),
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    minify: true,
    // Error names are part of the state machines' contract: `Retry` and `Catch` match on them.
    keepNames: true,
    sourcemap: "linked",
    sourcesContent: false,
    platform: "node",
    target: "node24",
    format: "esm",
    jsx: "automatic",
    // Without this React brings its development build along: 375 kB.
    define: { "process.env.NODE_ENV": JSON.stringify("production") },
    mainFields: ["module", "main"],
    // CommonJS packages inside an ES module bundle still call require for Node's own modules.
    banner: { js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);' },
    logLevel: "warning",
    plugins: [withConfig(station.config), ...plugins],
  });
}

/** The functions carry the config that the stack is made with, whatever `station.config.ts` says. */
function withConfig(config: StationConfig): Plugin {
  return {
    name: "station-config",
    setup: ({ onLoad }) =>
      onLoad({ filter: /\/station\.config\.ts$/ }, () => ({
        contents: `export const config = ${JSON.stringify(config)};`,
      })),
  };
}
