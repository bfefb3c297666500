/** What the station knows of a contact at Resend beyond its address; Resend takes only properties that were defined. */
export const contactProperties = {
  signup_source: "string",
  copy_type: "string",
  primary_interest: "string",
  signup_page: "string",
  engagement_score: "number",
  total_copies: "number",
  last_active: "string",
} as const;

export type ContactProperties = {
  [P in keyof typeof contactProperties]: (typeof contactProperties)[P] extends "number" ? number : string;
};
