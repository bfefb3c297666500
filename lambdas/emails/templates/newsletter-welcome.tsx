import type { Brand } from "../../core/station.ts";
import { Item, Paragraph } from "../blocks.tsx";
import { Layout } from "../layout.tsx";
import { welcomeSeries } from "../links.ts";
import type { Mail, Subscriber } from "../mail.ts";

/** Sent once, when somebody subscribes; step 1 of the onboarding sequence. */
export function newsletterWelcome(to: Subscriber, brand: Brand): Mail {
  const subject = `Welcome to ${brand.name}! 🎉`;
  const document = (
    <Layout
      brand={brand}
      campaign={welcomeSeries("step_1_welcome")}
      subject={subject}
      preview={`You are on the list. Here is what ${brand.name} will send you, and where to begin.`}
      title={`Welcome to ${brand.name}!`}
      lead="You are on the list. Good to have you here."
      callToAction={{ label: "See what is trending", path: "/trending" }}
      recipient={to.recipient}
      unsubscribeUrl={to.unsubscribeUrl}
    >
      <Paragraph>This is what you can expect from us:</Paragraph>
      <Item title="A digest once a week">
        What is new in {brand.digestTopic}, and what other readers looked at most, in one short mail.
      </Item>
      <Item title="A few mails to get you started">
        Four of them over the next two weeks, each with one thing worth knowing. After that only the digest.
      </Item>
      <Item title="No noise">Every mail has a link at the end that stops them at once. No questions asked.</Item>
      <Paragraph>Until the first digest arrives, have a look at what people are using right now.</Paragraph>
    </Layout>
  );
  return { subject, document };
}
