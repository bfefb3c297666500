import type { Brand } from "../../core/station.ts";
import { Facts, GroupHeading, Quote } from "../blocks.tsx";
import type { ContactSubmissionAdminData } from "../data/contact.ts";
import { Layout } from "../layout.tsx";
import { transactionalCampaign } from "../links.ts";
import type { Mail, Transactional } from "../mail.ts";
import { longTime } from "../wording.ts";

/** Tells the team what a visitor wrote; it goes to the team, never to the visitor. */
export function contactSubmissionAdmin({ to, data }: Transactional<ContactSubmissionAdminData>, brand: Brand): Mail {
  const { submissionId, name, email, category, message, submittedAt } = data;
  const subject = `New Contact: ${category} - ${name}`;
  const document = (
    <Layout
      brand={brand}
      campaign={transactionalCampaign("contact", "contact_submission_admin")}
      subject={subject}
      preview={message}
      title={`${name} wrote to us`}
      lead={`A message in the category "${category}".`}
      callToAction={{ label: "Open the message", path: `/admin/contact/${encodeURIComponent(submissionId)}` }}
      recipient={to}
      unsubscribeUrl={null}
      because={`it receives what visitors write to ${brand.name}`}
    >
      <Facts
        facts={{
          From: name,
          Address: email,
          Category: category,
          Received: longTime(submittedAt),
          Submission: submissionId,
        }}
      />
      <GroupHeading>Message</GroupHeading>
      <Quote>{message}</Quote>
    </Layout>
  );
  return { subject, document };
}
