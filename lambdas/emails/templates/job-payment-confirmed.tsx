import type { Brand } from "../../core/station.ts";
import { Facts, Paragraph } from "../blocks.tsx";
import type { JobPaymentConfirmedData } from "../data/job.ts";
import { Layout } from "../layout.tsx";
import { transactionalCampaign } from "../links.ts";
import type { Mail, Transactional } from "../mail.ts";
import { capitalised, longDay, money } from "../wording.ts";

/** Sent when a job's payment has arrived and its listing has begun. */
export function jobPaymentConfirmed({ to, data }: Transactional<JobPaymentConfirmedData>, brand: Brand): Mail {
  const { jobTitle, company, jobId, jobSlug, plan, paymentAmount, currency, paymentDate, expiresAt } = data;
  const subject = `Your Job is Live: ${jobTitle}`;
  const document = (
    <Layout
      brand={brand}
      campaign={transactionalCampaign("jobs", "job_payment_confirmed")}
      subject={subject}
      preview={`The payment has arrived, and your job posting for ${company} is live.`}
      title="Your job posting is live"
      lead="The payment has arrived. Thank you!"
      callToAction={{ label: "See the posting", path: `/jobs/${encodeURIComponent(jobSlug)}` }}
      recipient={to}
      unsubscribeUrl={null}
      because={`you posted a job on ${brand.name}`}
    >
      <Facts
        facts={{
          Job: jobTitle,
          Company: company,
          Plan: capitalised(plan),
          Paid: `${money(paymentAmount, currency)} on ${longDay(paymentDate)}`,
          "Live until": longDay(expiresAt),
          Reference: jobId,
        }}
      />
      <Paragraph>We remind you before it ends. You can change the posting at any time under your account.</Paragraph>
    </Layout>
  );
  return { subject, document };
}
