import { join } from "node:path";
import { parseArgs } from "node:util";
import { commands } from "./commands.ts";
import { OperatorError, UsageError } from "./operator-error.ts";
import { awsTarget, localTarget } from "./target.ts";

const commonFlags = {
  stage: { type: "string" },
  home: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

const commonHelp = `  --stage NAME   a deployed stage, by the usual AWS credentials and region; without it the station on this machine
  --home DIR     where the station on this machine lives (.station)
  --help         what a verb takes`;

/** Readable help: of one verb, of the verbs of a group, or of all. */
function help(names: string[]): string {
  const [name = "", ...others] = names;
  const command = commands[name];
  if (command && others.length === 0)
    return `flux ${name} ${command.usage}\n\n${command.summary}\n${command.details ? `\n${command.details}\n` : ""}\n${commonHelp}`;
  const width = Math.max(...names.map((each) => each.length));
  const lines = names.map((each) => `  ${each.padEnd(width)}  ${commands[each]?.summary}`);
  return `flux: the operator's command\n\n${lines.join("\n")}\n\n${commonHelp}\n\nflux <verb> --help says more.`;
}

/** The verb is one or two words; what follows is the verb's. */
function findCommand([first = "", second = "", ...rest]: string[]) {
  const pair = `${first} ${second}`;
  if (Object.hasOwn(commands, pair)) return { name: pair, args: rest };
  if (Object.hasOwn(commands, first)) return { name: first, args: second === "" ? rest : [second, ...rest] };
  return undefined;
}

function commandLine(): { values: Record<string, unknown>; positionals: string[] } {
  const flags = Object.assign({}, commonFlags, ...Object.values(commands).map((command) => command.flags));
  try {
    return parseArgs({ allowPositionals: true, options: flags });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function main(): Promise<void> {
  const { values, positionals } = commandLine();
  const found = findCommand(positionals);
  const command = found && commands[found.name];
  if (values.help || positionals.length === 0 || !found || !command) {
    const [group = ""] = positionals;
    const ofGroup = Object.keys(commands).filter((name) => name.startsWith(`${group} `));
    const known = found ? [found.name] : ofGroup.length > 0 ? ofGroup : Object.keys(commands);
    if (ofGroup.length === 0 && !found && !values.help && positionals.length > 0)
      throw new UsageError(`There is no verb "${positionals.join(" ")}".\n\n${help(known)}`);
    return console.log(help(known));
  }
  const { stage, home, help: _, ...flags } = values;
  const strange = Object.keys(flags).find((flag) => !Object.hasOwn(command.flags ?? {}, flag));
  if (strange) throw new UsageError(`flux ${found.name} takes no --${strange}.\n\n${help([found.name])}`);
  const target =
    typeof stage === "string"
      ? await awsTarget(stage)
      : await localTarget(typeof home === "string" ? home : join(import.meta.dirname, "../.station"));
  try {
    await command.run(target, { args: found.args, flags });
  } finally {
    target.close();
  }
}

/** What an operator can do about an AWS error; undefined for what only a programmer can. */
function explained(error: Error): string | undefined {
  if (/^(Credentials|Token)ProviderError$|^ExpiredToken|^UnrecognizedClient|^InvalidClientToken/.test(error.name))
    return `AWS does not know you: ${error.message}. Log in, or set AWS_PROFILE.`;
  if (/^AccessDenied/.test(error.name)) return `AWS does not allow it: ${error.message}`;
  if (/ECONNREFUSED|ENOTFOUND/.test(error.message) || error.name === "TimeoutError")
    return `No answer: ${error.message}. Is the station running, and are the network and region right?`;
  return undefined;
}

try {
  await main();
} catch (error) {
  const sentence = error instanceof OperatorError ? error.message : error instanceof Error && explained(error);
  console.error(sentence || error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
