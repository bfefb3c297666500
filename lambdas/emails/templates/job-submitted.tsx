import type { Brand } from "../../core/station.ts";
import { Facts, Paragraph } from "../blocks.tsx";
import type { JobSubmittedData } from "../data/job.ts";
import { Layout } from "../layout.tsx";
import { transactionalCampaign } from "../links.ts";
import type { Mail, Transactional } from "../mail.ts";

/** Sent when somebody has posted a job that nobody has reviewed yet. */
export function jobSubmitted({ to, data }: Transactional<JobSubmittedData>, brand: Brand): Mail {
  const { jobTitle, company, jobId } = data;
  const subject = `Job Submitted: ${jobTitle}`;
  const document = (
    <Layout
      brand={brand}
      campaign={transactionalCampaign("jobs", "job_submitted")}
      subject={subject}
      preview={`We have your job posting for ${company} and will review it.`}
      title="We have your job posting"
      lead="Next, somebody of us reads it. You get a mail when that is done."
      callToAction={{ label: "See your job postings", path: "/account/jobs" }}
      recipient={to}
      unsubscribeUrl={null}
      because={`you posted a job on ${brand.name}`}
    >
      <Facts facts={{ Job: jobTitle, Company: company, Reference: jobId }} />
      <Paragraph>Until it is reviewed you can still change it.</Paragraph>
    </Layout>
  );
  return { subject, document };
}
