import type { ChaosEvent } from "../../local/chaos/chaos-event.ts";

/** Parts of a business key by which events and log lines are about it. */
function termsOf(item: string): string[] {
  const ids: string[] =
    item.match(/[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{64}|s\d+[rm]\d+@example\.com|s\d+-[\w-]+/g) ?? [];
  // An address is no correlation id: there it is written with dashes.
  return ids.length > 0 ? [...ids, ...ids.map((id) => id.replace("@", "-"))] : [item];
}

const told = (event: ChaosEvent): string => {
  switch (event.kind) {
    case "kill":
      return `killed ${event.boundary}: ${event.item} (${event.about})`;
    case "fault":
      return `fault   ${event.service} ${event.fault}: ${event.item} (${event.about})`;
    case "limit-met":
      return `429     ${event.service}: ${event.item} (${event.about})`;
    case "accepted":
      return `accepted ${event.key}: ${event.mails.map(({ to, id }) => `${to} ${id}`).join(", ")}`;
  }
};

const longest = 60;

/** What happened to an item: its kills and faults, then what the functions logged about it. */
export function storyOf(item: string, events: readonly ChaosEvent[], lines: readonly string[]): string[] {
  const terms = termsOf(item);
  const about = (text: string) => terms.some((term) => text.includes(term));
  const disturbed = events.map(told).filter(about);
  const logged = lines.filter(about).map((line) => line.slice(0, 600));
  return [...disturbed.slice(0, longest), ...logged.slice(0, longest)];
}
