import type { Brand } from "../../core/station.ts";
import { Item, Paragraph } from "../blocks.tsx";
import { Layout } from "../layout.tsx";
import { welcomeSeries } from "../links.ts";
import type { Mail, Subscriber } from "../mail.ts";

/** Step 5 of the onboarding sequence, its last. */
export function onboardingStayEngaged(to: Subscriber, brand: Brand): Mail {
  const subject = `Stay Engaged with ${brand.name}`;
  const document = (
    <Layout
      brand={brand}
      campaign={welcomeSeries("step_5_stay_engaged")}
      subject={subject}
      preview="Two weeks in: what to keep an eye on, and one question for you."
      title="Two weeks in"
      lead="This is the last of our getting-started mails. From here on it is the weekly digest only."
      callToAction={{ label: "Tell us how it goes", path: "/feedback" }}
      recipient={to.recipient}
      unsubscribeUrl={to.unsubscribeUrl}
    >
      <Paragraph>Three ways to stay up to date with {brand.digestTopic} without spending much time on it:</Paragraph>
      <Item title="Read the digest" path="/trending">
        It arrives once a week. If you cannot wait, the trending list shows the same as it happens.
      </Item>
      <Item title="Learn one new thing a month" path="/guides/tutorials">
        One tutorial, done with something of your own in hand, stays with you longer than ten read.
      </Item>
      <Item title="Give something back" path="/submit">
        By now you have your own version of something. Others would like to see it.
      </Item>
      <Paragraph>And our question: what should {brand.name} do better? Two sentences are plenty.</Paragraph>
    </Layout>
  );
  return { subject, document };
}
