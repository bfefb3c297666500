import type { Brand } from "../../core/station.ts";
import { Facts, Paragraph, Quote } from "../blocks.tsx";
import type { JobRejectedData } from "../data/job.ts";
import { Layout } from "../layout.tsx";
import { transactionalCampaign } from "../links.ts";
import type { Mail, Transactional } from "../mail.ts";

/** Sent when a job did not pass its review and its owner can change it. */
export function jobRejected({ to, data }: Transactional<JobRejectedData>, brand: Brand): Mail {
  const { jobTitle, company, jobId, rejectionReason } = data;
  const subject = `Action Required: Update Your Job Posting - ${jobTitle}`;
  const document = (
    <Layout
      brand={brand}
      campaign={transactionalCampaign("jobs", "job_rejected")}
      subject={subject}
      preview={`Your job posting for ${company} needs a change before it can go live.`}
      title="Your job posting needs a change"
      lead="We cannot publish it as it is. Change it, and we read it again."
      callToAction={{ label: "Change the posting", path: `/account/jobs/${encodeURIComponent(jobId)}/edit` }}
      recipient={to}
      unsubscribeUrl={null}
      because={`you posted a job on ${brand.name}`}
    >
      <Facts facts={{ Job: jobTitle, Company: company }} />
      {rejectionReason ? (
        <>
          <Paragraph>This is what our reviewer noted:</Paragraph>
          <Quote>{rejectionReason}</Quote>
        </>
      ) : (
        <Paragraph>Our reviewer left no note. Write to us if you wonder what is missing.</Paragraph>
      )}
    </Layout>
  );
  return { subject, document };
}
