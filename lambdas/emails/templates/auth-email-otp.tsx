import type { Brand } from "../../core/station.ts";
import { OneTimeCode, Paragraph } from "../blocks.tsx";
import type { AuthEmailOtpData } from "../data/auth.ts";
import { Layout } from "../layout.tsx";
import { transactionalCampaign } from "../links.ts";
import type { Mail, Transactional } from "../mail.ts";

const leads = {
  "sign-in": "Enter it where you are signing in.",
  reauthentication: "Enter it to confirm that it is you, before you change something important.",
};

/** A code to type, for signing in or for showing once more who one is. It is in neither subject nor preview, which lock screens show. */
export function authEmailOtp({ to, data }: Transactional<AuthEmailOtpData>, brand: Brand): Mail {
  const subject = `Your code for ${brand.name}`;
  const document = (
    <Layout
      brand={brand}
      campaign={transactionalCampaign("account", `auth_email_otp_${data.purpose.replace("-", "_")}`)}
      subject={subject}
      preview={leads[data.purpose]}
      title={subject}
      lead={leads[data.purpose]}
      callToAction={null}
      recipient={to}
      unsubscribeUrl={null}
      because={`somebody asked for a code on ${brand.name} with this address`}
    >
      <OneTimeCode code={data.code} />
      <Paragraph>
        It works once, and only for a short time. Nobody of {brand.name} will ever ask you for it. If it was not you who
        asked for it, ignore this mail.
      </Paragraph>
    </Layout>
  );
  return { subject, document };
}
