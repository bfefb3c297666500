import type { Brand } from "../core/station.ts";

/** The UTM parameters of a mail's links; the source is always `email`. */
export interface Campaign {
  medium: string;
  campaign: string;
  content?: string;
}

/** Campaign of the five mails of the onboarding sequence, the welcome mail being step 1. */
export function welcomeSeries(content: string): Campaign {
  return { medium: "onboarding", campaign: "welcome_series", content };
}

/** Address of a site path (`/trending`) on the brand's own site, with the campaign's UTM parameters. */
export function siteLink(brand: Brand, path: string, { medium, campaign, content }: Campaign): string {
  // Joined as text: a path from the database can then never lead to another host.
  const url = new URL(`${brand.siteUrl}${path.startsWith("/") ? "" : "/"}${path}`);
  url.searchParams.set("utm_source", "email");
  url.searchParams.set("utm_medium", medium);
  url.searchParams.set("utm_campaign", campaign);
  if (content !== undefined) url.searchParams.set("utm_content", content);
  return url.href;
}

/** Campaign of the mails that answer something one person did; `content` tells them apart. */
export function transactionalCampaign(
  campaign: "account" | "jobs" | "contact" | "collections",
  content: string,
): Campaign {
  return { medium: "transactional", campaign, content };
}
