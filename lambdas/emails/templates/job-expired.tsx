import type { Brand } from "../../core/station.ts";
import { Facts, Paragraph } from "../blocks.tsx";
import type { JobExpiredData } from "../data/job.ts";
import { Layout } from "../layout.tsx";
import { transactionalCampaign } from "../links.ts";
import type { Mail, Transactional } from "../mail.ts";
import { counted, longDay, money } from "../wording.ts";

/** Sent when a job's listing has ended, with what it reached. */
export function jobExpired({ to, data }: Transactional<JobExpiredData>, brand: Brand): Mail {
  const { jobTitle, company, expiredAt, viewCount, clickCount, repostUrl, repostAmount, currency } = data;
  const subject = `Job Listing Expired: ${jobTitle}`;
  const reached = [
    viewCount == null ? [] : [counted(viewCount, "view")],
    clickCount == null ? [] : [counted(clickCount, "click")],
  ].flat();
  const document = (
    <Layout
      brand={brand}
      campaign={transactionalCampaign("jobs", "job_expired")}
      subject={subject}
      preview={`Your job posting for ${company} has ended.`}
      title="Your job posting has ended"
      lead="It is no longer shown. If the position is still open, post it again."
      callToAction={
        repostUrl ? { label: "Post it again", url: repostUrl } : { label: "Post it again", path: "/account/jobs" }
      }
      recipient={to}
      unsubscribeUrl={null}
      because={`you posted a job on ${brand.name}`}
    >
      <Facts
        facts={{
          Job: jobTitle,
          Company: company,
          Ended: longDay(expiredAt),
          "It reached": reached.join(" and "),
          "Price of a new posting": repostAmount == null ? null : money(repostAmount, currency),
        }}
      />
      <Paragraph>Thank you for looking for people on {brand.name}.</Paragraph>
    </Layout>
  );
  return { subject, document };
}
