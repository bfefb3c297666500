import type { Brand } from "../../core/station.ts";
import { Facts, Paragraph } from "../blocks.tsx";
import type { AuthAccountChangedData } from "../data/auth.ts";
import { Layout } from "../layout.tsx";
import { transactionalCampaign } from "../links.ts";
import type { Mail, Transactional } from "../mail.ts";

const changes = {
  password_changed: { what: "The password was changed", detail: "Password" },
  email_changed: { what: "The address was changed", detail: "New address" },
  phone_changed: { what: "The phone number was changed", detail: "New number" },
  identity_linked: { what: "Another way to sign in was added", detail: "Way to sign in" },
  identity_unlinked: { what: "A way to sign in was removed", detail: "Way to sign in" },
  mfa_factor_enrolled: { what: "A second factor was added", detail: "Factor" },
  mfa_factor_unenrolled: { what: "A second factor was removed", detail: "Factor" },
};

/** Tells the owner of an account what was done to it, in case it was somebody else. */
export function authAccountChanged({ to, data }: Transactional<AuthAccountChangedData>, brand: Brand): Mail {
  const { what, detail } = changes[data.change];
  const subject = `${what} on your ${brand.name} account`;
  const document = (
    <Layout
      brand={brand}
      campaign={transactionalCampaign("account", `auth_${data.change}`)}
      subject={subject}
      preview="If it was you, there is nothing to do."
      title={what}
      lead={`This happened on your ${brand.name} account. If it was you, there is nothing to do.`}
      callToAction={{ label: "Look at your account", path: "/account" }}
      recipient={to}
      unsubscribeUrl={null}
      because={`it is, or was, the address of an account on ${brand.name}`}
    >
      <Facts facts={{ [detail]: data.detail }} />
      <Paragraph>If it was not you, set a new password now and write to us: somebody else may have got in.</Paragraph>
    </Layout>
  );
  return { subject, document };
}
