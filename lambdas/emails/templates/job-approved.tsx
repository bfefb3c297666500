import type { Brand } from "../../core/station.ts";
import { Facts, Paragraph } from "../blocks.tsx";
import type { JobApprovedData } from "../data/job.ts";
import { Layout } from "../layout.tsx";
import { transactionalCampaign } from "../links.ts";
import type { Mail, Transactional } from "../mail.ts";
import { capitalised, money } from "../wording.ts";

/** Sent when a job passed its review and waits for its payment. */
export function jobApproved({ to, data }: Transactional<JobApprovedData>, brand: Brand): Mail {
  const { jobTitle, company, plan, paymentAmount, currency, paymentUrl } = data;
  const subject = `Job Approved: ${jobTitle}`;
  const document = (
    <Layout
      brand={brand}
      campaign={transactionalCampaign("jobs", "job_approved")}
      subject={subject}
      preview={`Your job posting for ${company} passed the review. One step is left.`}
      title="Your job posting is approved"
      lead="One step is left: it goes live as soon as it is paid."
      callToAction={
        paymentUrl ? { label: "Pay and publish", url: paymentUrl } : { label: "Pay and publish", path: "/account/jobs" }
      }
      recipient={to}
      unsubscribeUrl={null}
      because={`you posted a job on ${brand.name}`}
    >
      <Facts
        facts={{
          Job: jobTitle,
          Company: company,
          Plan: capitalised(plan),
          Price: money(paymentAmount, currency),
        }}
      />
      <Paragraph>Once the payment has arrived we confirm it by mail.</Paragraph>
    </Layout>
  );
  return { subject, document };
}
