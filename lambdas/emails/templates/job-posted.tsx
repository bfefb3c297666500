import type { Brand } from "../../core/station.ts";
import { Facts, Paragraph } from "../blocks.tsx";
import type { JobPostedData } from "../data/job.ts";
import { Layout } from "../layout.tsx";
import { transactionalCampaign } from "../links.ts";
import type { Mail, Transactional } from "../mail.ts";

/** Sent when a job's listing has begun without a payment of its own. */
export function jobPosted({ to, data }: Transactional<JobPostedData>, brand: Brand): Mail {
  const { jobTitle, company, jobSlug } = data;
  const subject = `Your job posting "${jobTitle}" is now live!`;
  const document = (
    <Layout
      brand={brand}
      campaign={transactionalCampaign("jobs", "job_posted")}
      subject={subject}
      preview={`Your job posting for ${company} can be seen by everybody now.`}
      title="Your job posting is live"
      lead="Everybody can see it now."
      callToAction={{ label: "See the posting", path: `/jobs/${encodeURIComponent(jobSlug)}` }}
      recipient={to}
      unsubscribeUrl={null}
      because={`you posted a job on ${brand.name}`}
    >
      <Facts facts={{ Job: jobTitle, Company: company }} />
      <Paragraph>You can change it, or take it down, under your account.</Paragraph>
    </Layout>
  );
  return { subject, document };
}
