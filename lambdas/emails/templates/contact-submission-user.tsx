import type { Brand } from "../../core/station.ts";
import { Paragraph } from "../blocks.tsx";
import type { ContactSubmissionUserData } from "../data/contact.ts";
import { Layout } from "../layout.tsx";
import { transactionalCampaign } from "../links.ts";
import type { Mail, Transactional } from "../mail.ts";

const answers = {
  bug: "We will try to see the problem ourselves first, and write to you if we need to know more.",
  feature: "We read every idea. If it becomes something, you will hear from us.",
  partnership: "Somebody who can say yes or no will read it and answer you.",
  general: "We will read it and answer you as soon as we can.",
  other: "We will read it and answer you as soon as we can.",
};

/**
 * Confirms to a visitor that the message arrived. It does not repeat the message: anybody can enter anybody's
 * address, and this mail must not carry what a stranger wrote.
 */
export function contactSubmissionUser({ to, data }: Transactional<ContactSubmissionUserData>, brand: Brand): Mail {
  const subject = "We received your message!";
  const document = (
    <Layout
      brand={brand}
      campaign={transactionalCampaign("contact", "contact_submission_user")}
      subject={subject}
      preview={`Thank you for writing to ${brand.name}. Your message has arrived.`}
      title="Your message has arrived"
      lead={`Hello ${data.name}, thank you for writing to ${brand.name}.`}
      callToAction={{ label: "Look at the help pages", path: "/help" }}
      recipient={to}
      unsubscribeUrl={null}
      because={`it was given with a message to ${brand.name}`}
    >
      <Paragraph>{answers[data.category]}</Paragraph>
      <Paragraph>Meanwhile, the help pages may have the answer already.</Paragraph>
      <Paragraph>
        If it was not you who wrote, there is nothing to do: you will get no further mail from this.
      </Paragraph>
    </Layout>
  );
  return { subject, document };
}
