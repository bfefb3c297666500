import { clip } from "./clip.ts";

interface EmbedField {
  name: string;
  value: string;
  inline?: boolean | undefined;
}

export interface DiscordEmbed {
  title?: string | undefined;
  url?: string | undefined;
  description?: string | undefined;
  /** RGB as one number. */
  color?: number | undefined;
  fields?: EmbedField[] | undefined;
  footer?: { text: string } | undefined;
  /** ISO 8601. */
  timestamp?: string | undefined;
}

/** A message as Discord's webhooks take it. Nobody is ever pinged, whatever a text says. */
export interface DiscordMessage {
  content?: string;
  embeds: DiscordEmbed[];
  allowed_mentions: { parse: [] };
}

/** From https://discord.com/developers/docs/resources/message: characters, and a count for `fields`. */
const limits = {
  content: 2000,
  title: 256,
  description: 4096,
  fields: 25,
  fieldName: 256,
  fieldValue: 1024,
  footer: 2048,
  url: 2048,
  /** Over all texts of all embeds together. */
  total: 6000,
} as const;

/** Makes a message of one embed that Discord takes: what is too long is cut, what is empty is left out. */
export function discordMessage({ content, embed }: { content?: string; embed: DiscordEmbed }): DiscordMessage {
  return {
    ...(content ? { content: clip(content, limits.content) } : {}),
    embeds: [fitEmbed(embed)],
    allowed_mentions: { parse: [] },
  };
}

function fitEmbed(embed: DiscordEmbed): DiscordEmbed {
  const fields = (embed.fields ?? []).slice(0, limits.fields).map(({ name, value, inline = false }) => ({
    name: clip(name, limits.fieldName) || "-",
    value: clip(value, limits.fieldValue) || "N/A",
    inline,
  }));
  const title = clip(embed.title ?? "", limits.title);
  const footer = clip(embed.footer?.text ?? "", limits.footer);
  const spare = limits.total - title.length - footer.length;
  const description = clip(embed.description ?? "", Math.min(limits.description, spare));
  let length = title.length + footer.length + description.length;
  // The fields come in the order of their weight, so what does not fit is missing at the end.
  const fitting = fields.filter(({ name, value }) => {
    length += name.length + value.length;
    return length <= limits.total;
  });
  return {
    ...(title ? { title } : {}),
    ...(embed.url && isLink(embed.url) ? { url: embed.url } : {}),
    ...(description ? { description } : {}),
    ...(embed.color === undefined ? {} : { color: embed.color }),
    ...(fitting.length > 0 ? { fields: fitting } : {}),
    ...(footer ? { footer: { text: footer } } : {}),
    ...(embed.timestamp ? { timestamp: embed.timestamp } : {}),
  };
}

/** Whether Discord takes the text as the address of a link. */
export function isLink(text: string): boolean {
  return text.length <= limits.url && /^https?:$/.test(URL.parse(text)?.protocol ?? "");
}

/** A link with the given text, or the text alone where the address is none. */
export function linkTo(text: string, url: string | null | undefined): string {
  const label = text.replace(/[[\]\\]/g, "\\$&");
  // A closing bracket would end the link.
  return url && isLink(url) ? `[${label}](${url.replaceAll("(", "%28").replaceAll(")", "%29")})` : label;
}
