import type { Brand } from "../../core/station.ts";
import { Item, Paragraph } from "../blocks.tsx";
import type { SignupOauthData } from "../data/auth.ts";
import { Layout } from "../layout.tsx";
import { transactionalCampaign } from "../links.ts";
import type { Mail, Transactional } from "../mail.ts";

const providers = { google: "Google", github: "GitHub", discord: "Discord" };

/** Sent once, when somebody makes an account by signing in with another service. */
export function signupOauth({ to, data }: Transactional<SignupOauthData>, brand: Brand): Mail {
  const subject = `Welcome to ${brand.name}! 🎉`;
  const how = data.provider ? `You signed up with ${providers[data.provider]}.` : "You signed up.";
  const document = (
    <Layout
      brand={brand}
      campaign={transactionalCampaign("account", "signup_oauth")}
      subject={subject}
      preview="Your account is ready. Here is what you can do with it."
      title={`Welcome to ${brand.name}!`}
      lead={`${how} Your account is ready.`}
      callToAction={{ label: "See what is trending", path: "/trending" }}
      recipient={to}
      unsubscribeUrl={null}
      because={`an account was made on ${brand.name} with this address`}
    >
      <Paragraph>Three things that an account is good for:</Paragraph>
      <Item title="Keep what you find" path="/account/collections">
        Put entries into collections of your own, and share those with others.
      </Item>
      <Item title="Add what you made" path="/submit">
        Submit something of yours to {brand.name}, and follow what becomes of it.
      </Item>
      <Item title="Offer a job" path="/account/jobs">
        Post it, change it and renew it from one page.
      </Item>
    </Layout>
  );
  return { subject, document };
}
