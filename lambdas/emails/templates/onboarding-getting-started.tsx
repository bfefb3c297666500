import type { Brand } from "../../core/station.ts";
import { Item, Paragraph } from "../blocks.tsx";
import { Layout } from "../layout.tsx";
import { welcomeSeries } from "../links.ts";
import type { Mail, Subscriber } from "../mail.ts";

/** Step 2 of the onboarding sequence. */
export function onboardingGettingStarted(to: Subscriber, brand: Brand): Mail {
  const subject = `Getting Started with ${brand.name}`;
  const document = (
    <Layout
      brand={brand}
      campaign={welcomeSeries("step_2_getting_started")}
      subject={subject}
      preview="Three short steps from looking around to having something that works for you."
      title={subject}
      lead="Three short steps from looking around to something that works for you."
      callToAction={{ label: "Open the tutorials", path: "/guides/tutorials" }}
      recipient={to.recipient}
      unsubscribeUrl={to.unsubscribeUrl}
    >
      <Item note="Step 1" title="See what others use" path="/trending">
        The trending list shows what readers open most. It is the fastest way to find something worth trying.
      </Item>
      <Item note="Step 2" title="Follow one tutorial" path="/guides/tutorials">
        Pick the one closest to what you do this week, and do it to the end before you open the next.
      </Item>
      <Item note="Step 3" title="Ask when you are stuck" path="/help">
        Somebody had the same question before you. Look on the help pages, and write to us if it is not there.
      </Item>
      <Paragraph>One of the three is enough for today.</Paragraph>
    </Layout>
  );
  return { subject, document };
}
