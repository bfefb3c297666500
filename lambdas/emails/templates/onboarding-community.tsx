import type { Brand } from "../../core/station.ts";
import { Item, Paragraph } from "../blocks.tsx";
import { Layout } from "../layout.tsx";
import { welcomeSeries } from "../links.ts";
import type { Mail, Subscriber } from "../mail.ts";

/** Step 4 of the onboarding sequence. */
export function onboardingCommunity(to: Subscriber, brand: Brand): Mail {
  const subject = `Join the ${brand.name} Community`;
  const document = (
    <Layout
      brand={brand}
      campaign={welcomeSeries("step_4_community")}
      subject={subject}
      preview="A directory is as good as what its readers put into it. That can be you."
      title={subject}
      lead="A directory is as good as what its readers put into it. That can be you."
      callToAction={{ label: "Submit something of yours", path: "/submit" }}
      recipient={to.recipient}
      unsubscribeUrl={to.unsubscribeUrl}
    >
      <Item title="Share what you made" path="/submit">
        It need not be big. If it saved you an hour, it will save somebody else one too.
      </Item>
      <Item title="Tell us what is missing" path="/feedback">
        You see the gaps better than we do. A line about what you looked for and did not find helps a lot.
      </Item>
      <Item title="Pass on what helped you" path="/trending">
        Send a colleague the entry you use most. It is the kindest way to recommend us.
      </Item>
      <Paragraph>Not sure if it is good enough? Send it anyway.</Paragraph>
    </Layout>
  );
  return { subject, document };
}
