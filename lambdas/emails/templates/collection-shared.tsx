import type { Brand } from "../../core/station.ts";
import { Facts, Paragraph, Quote } from "../blocks.tsx";
import type { CollectionSharedData } from "../data/collection.ts";
import { Layout } from "../layout.tsx";
import { transactionalCampaign } from "../links.ts";
import type { Mail, Transactional } from "../mail.ts";
import { counted } from "../wording.ts";

/** Sent when a member shares a collection with somebody, who need not be a member. */
export function collectionShared({ to, data }: Transactional<CollectionSharedData>, brand: Brand): Mail {
  const { collectionName, collectionDescription, senderName, collectionSlug, senderSlug, itemCount } = data;
  const subject = `${senderName} shared a collection with you`;
  const document = (
    <Layout
      brand={brand}
      campaign={transactionalCampaign("collections", "collection_shared")}
      subject={subject}
      preview={`${collectionName}: ${counted(itemCount, "item")} on ${brand.name}.`}
      title={subject}
      lead={`Have a look at it on ${brand.name}.`}
      callToAction={{
        label: "Open the collection",
        path: `/u/${encodeURIComponent(senderSlug)}/collections/${encodeURIComponent(collectionSlug)}`,
      }}
      recipient={to}
      unsubscribeUrl={null}
      because={`a member of ${brand.name} shared a collection with this address`}
    >
      <Facts facts={{ Collection: collectionName, By: senderName, Content: counted(itemCount, "item") }} />
      {collectionDescription ? <Quote>{collectionDescription}</Quote> : null}
      <Paragraph>If you do not know {senderName}, ignore this mail: there is nothing to do.</Paragraph>
    </Layout>
  );
  return { subject, document };
}
