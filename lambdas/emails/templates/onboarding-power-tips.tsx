import type { Brand } from "../../core/station.ts";
import { Item, Paragraph } from "../blocks.tsx";
import { Layout } from "../layout.tsx";
import { welcomeSeries } from "../links.ts";
import type { Mail, Subscriber } from "../mail.ts";

/** Step 3 of the onboarding sequence. */
export function onboardingPowerTips(to: Subscriber, brand: Brand): Mail {
  const subject = `Power User Tips for ${brand.digestTopic}`;
  const document = (
    <Layout
      brand={brand}
      campaign={welcomeSeries("step_3_power_tips")}
      subject={subject}
      preview="Four habits of people who get more out of what they find here."
      title={subject}
      lead="Four habits of people who get more out of what they find here."
      callToAction={{ label: "Find something to try", path: "/trending" }}
      recipient={to.recipient}
      unsubscribeUrl={to.unsubscribeUrl}
    >
      <Item note="Tip 1" title="Begin with a copy, then change one thing">
        Take an entry as it is and see it work first. Change one thing at a time, and you know what made the difference.
      </Item>
      <Item note="Tip 2" title="Say what done looks like">
        Write down the result you want before you start. It shortens everything that follows.
      </Item>
      <Item note="Tip 3" title="Combine small pieces">
        Two simple entries that do one job each are easier to trust, and to repair, than one that does it all.
      </Item>
      <Item note="Tip 4" title="Keep what worked">
        Store your own version with a line on when to use it. In a month you will be glad of that line.
      </Item>
      <Paragraph>Try one of them on the next thing you pick up.</Paragraph>
    </Layout>
  );
  return { subject, document };
}
