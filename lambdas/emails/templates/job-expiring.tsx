import type { Brand } from "../../core/station.ts";
import { Facts, Paragraph } from "../blocks.tsx";
import type { JobExpiringData } from "../data/job.ts";
import { Layout } from "../layout.tsx";
import { transactionalCampaign } from "../links.ts";
import type { Mail, Transactional } from "../mail.ts";
import { counted, longDay, money } from "../wording.ts";

/** Sent some days before a job's listing ends. */
export function jobExpiring({ to, data }: Transactional<JobExpiringData>, brand: Brand): Mail {
  const { jobTitle, company, expiresAt, daysRemaining, renewalUrl, renewalAmount, currency } = data;
  const remaining = daysRemaining === 0 ? "last day" : `${counted(daysRemaining, "day")} remaining`;
  const when = daysRemaining === 0 ? "today" : `in ${counted(daysRemaining, "day")}`;
  const subject = `Expiring Soon: ${jobTitle} (${remaining})`;
  const document = (
    <Layout
      brand={brand}
      campaign={transactionalCampaign("jobs", "job_expiring")}
      subject={subject}
      preview={`Your job posting for ${company} ends ${when}.`}
      title={`Your job posting ends ${when}`}
      lead="Renew it now, and it stays up without a gap."
      callToAction={
        renewalUrl
          ? { label: "Renew the posting", url: renewalUrl }
          : { label: "Renew the posting", path: "/account/jobs" }
      }
      recipient={to}
      unsubscribeUrl={null}
      because={`you posted a job on ${brand.name}`}
    >
      <Facts
        facts={{
          Job: jobTitle,
          Company: company,
          Ends: longDay(expiresAt),
          "Price of a renewal": renewalAmount == null ? null : money(renewalAmount, currency),
        }}
      />
      <Paragraph>If the position is filled, there is nothing to do: the posting goes away by itself.</Paragraph>
    </Layout>
  );
  return { subject, document };
}
