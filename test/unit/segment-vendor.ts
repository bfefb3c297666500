import { contactProperties } from "../../registry/contact-properties.ts";
import { config } from "../../station.config.ts";
import { startResendProvider } from "./resend-provider.ts";

/** Resend with the station's segments, and a contact of that score in the medium one. */
export async function startSegmentVendor(now: () => number, score: number) {
  const { segments } = config.resend;
  const vendor = await startResendProvider({
    now,
    seed: {
      segments: Object.entries(segments).map(([name, id]) => ({ id, name })),
      properties: Object.entries(contactProperties).map(([key, type]) => ({ key, type })),
    },
  });
  const created = await vendor.resend.createContact({
    email: "ada@example.com",
    properties: {
      signup_source: "footer",
      copy_type: "none",
      primary_interest: "general",
      signup_page: "/",
      engagement_score: score,
      total_copies: 0,
      last_active: "2026-03-02T09:00:00Z",
    },
    topicIds: [],
    segmentIds: [segments["medium-engagement"]],
  });
  return { ...vendor, contactId: created ?? "" };
}
