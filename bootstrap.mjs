// Runs a script of the station under its own Node, after installing what is missing. This file alone has to run on
// whatever Node is there before the install, so it is plain JavaScript for Node 18 and later.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL(".", import.meta.url));
const ownNode = `${root}node_modules/node/bin/node${process.platform === "win32" ? ".exe" : ""}`;

if (!isInstalled()) {
  console.error("Installing packages (once; about half a minute)...");
  // npm tells by this variable where it lives, so that the same npm is used that was called.
  const npm = process.env.npm_execpath;
  const [command, ...first] = npm ? [process.execPath, npm] : ["npm"];
  const install = spawnSync(command, [...first, "ci", "--loglevel=error", "--no-fund", "--no-audit"], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
    shell: !npm && process.platform === "win32",
  });
  if (install.status !== 0 || !existsSync(ownNode)) {
    console.error("The packages could not be installed. Run `npm ci` to see why, then try again.");
    process.exit(1);
  }
}

const [script, ...args] = process.argv.slice(2);
const child = spawn(ownNode, [`${root}${script}`, ...args], {
  cwd: root,
  // The channel closes when this process dies, however it dies: that is how the child learns of it.
  stdio: ["inherit", "inherit", "inherit", "ipc"],
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
// Killed by its id, npm passes the signal on to its shell, which ends without telling anyone: we see a new parent.
const parent = process.ppid;
if (process.env.npm_lifecycle_event) {
  setInterval(() => {
    if (process.ppid !== parent) child.kill("SIGTERM");
  }, 1000).unref();
}
child.on("exit", (code, signal) => process.exit(signal ? 1 : (code ?? 1)));

/** Whether everything the lock file asks for is there, in its version. */
function isInstalled() {
  const installedLock = `${root}node_modules/.package-lock.json`;
  if (!existsSync(ownNode) || !existsSync(installedLock)) return false;
  const wanted = JSON.parse(readFileSync(`${root}package-lock.json`, "utf8")).packages;
  const present = JSON.parse(readFileSync(installedLock, "utf8")).packages;
  return Object.entries(wanted).every(
    ([path, { version, optional }]) => path === "" || optional || present[path]?.version === version,
  );
}
