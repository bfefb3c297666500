import type { Brand } from "../../core/station.ts";
import { OneTimeCode, Paragraph } from "../blocks.tsx";
import type { AuthLinkData } from "../data/auth.ts";
import { Layout } from "../layout.tsx";
import { transactionalCampaign } from "../links.ts";
import type { Mail, Transactional } from "../mail.ts";

interface Words {
  /** Names the mail in links: `auth_recovery`. */
  content: string;
  subject: string;
  lead: string;
  button: string;
  /** What to do when somebody else asked for it. */
  otherwise: string;
  because: string;
}

/** A mail around a one-time link. Neither link nor code gets into subject or preview, which lock screens show. */
export function authLinkMail({ to, data }: Transactional<AuthLinkData>, words: Words, brand: Brand): Mail {
  const { content, subject, lead, button, otherwise, because } = words;
  const document = (
    <Layout
      brand={brand}
      campaign={transactionalCampaign("account", content)}
      subject={subject}
      preview={lead}
      title={subject}
      lead={lead}
      callToAction={{ label: button, url: data.link }}
      recipient={to}
      unsubscribeUrl={null}
      because={because}
    >
      {data.code ? (
        <>
          <Paragraph>If you are asked for a code instead, it is this one:</Paragraph>
          <OneTimeCode code={data.code} />
        </>
      ) : null}
      <Paragraph>The link works once, and only for a short time. {otherwise}</Paragraph>
    </Layout>
  );
  return { subject, document };
}
