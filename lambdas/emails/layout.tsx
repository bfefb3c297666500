import {
  Body,
  Column,
  Container,
  Head,
  Heading,
  Html,
  Link,
  Preview,
  Row,
  Section,
  Text,
} from "@react-email/components";
import type { ReactNode } from "react";
import type { Brand } from "../core/station.ts";
import { CallToAction, type Target } from "./blocks.tsx";
import { type Campaign, siteLink } from "./links.ts";
import { MailContext } from "./mail.ts";
import { type Palette, type Theme, themeOf } from "./theme.ts";

const fontFamily = "-apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif";

/** React Email's Preview cuts at 150 UTF-16 units, which may split an emoji; cut before that, between characters. */
const previewMaxLength = 150;

interface LayoutProps {
  brand: Brand;
  campaign: Campaign;
  subject: string;
  /** The line mail clients show after the subject. */
  preview: string;
  title: string;
  lead: string;
  /** `null` in a mail that asks for nothing. */
  callToAction: ({ label: string } & Target) | null;
  /** `null` when the mail is one broadcast for everybody. */
  recipient: string | null;
  /** A URL, or the provider's own variable in a broadcast; `null` when the mail needs no consent. */
  unsubscribeUrl: string | null;
  /** Why the recipient gets this mail, in words that follow "because". Left out: the subscription. */
  because?: string;
  children: ReactNode;
}

/** The frame of every mail: preview, header, hero, content, call to action, footer. Narrow and dark clients included. */
export function Layout({ brand, campaign, subject, preview, title, lead, callToAction, children, ...to }: LayoutProps) {
  const theme = themeOf(brand);
  const { light } = theme;
  return (
    <MailContext value={{ brand, theme, campaign }}>
      <Html lang="en">
        <Head>
          <title>{subject}</title>
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <meta name="color-scheme" content="light dark" />
          <meta name="supported-color-schemes" content="light dark" />
          <style>{styleSheet(theme)}</style>
        </Head>
        <Body className="page" style={{ backgroundColor: light.page, fontFamily, margin: 0, padding: "24px 12px" }}>
          <Preview>{clipPreview(preview)}</Preview>
          <Container style={{ maxWidth: "600px" }}>
            <Header brand={brand} campaign={campaign} palette={light} />
            <Row
              className="card"
              style={{ backgroundColor: light.card, border: `1px solid ${light.border}`, borderRadius: "12px" }}
            >
              <Column className="pad" style={{ padding: "36px 40px 40px", overflowWrap: "anywhere" }}>
                <Heading
                  className="text"
                  style={{ color: light.text, fontSize: "28px", fontWeight: 700, lineHeight: "34px", margin: 0 }}
                >
                  {title}
                </Heading>
                <Text
                  className="muted"
                  style={{ color: light.muted, fontSize: "17px", lineHeight: "26px", margin: "10px 0 24px" }}
                >
                  {lead}
                </Text>
                {children}
                {callToAction === null ? null : <CallToAction {...callToAction} />}
              </Column>
            </Row>
            <Footer brand={brand} palette={light} {...to} />
          </Container>
        </Body>
      </Html>
    </MailContext>
  );
}

function Header({ brand, campaign, palette }: { brand: Brand; campaign: Campaign; palette: Palette }) {
  return (
    <Section style={{ padding: "4px 4px 20px" }}>
      <Link
        className="page-text"
        href={siteLink(brand, "/", campaign)}
        style={{ color: palette.pageText, fontSize: "20px", fontWeight: 700, lineHeight: "26px" }}
      >
        {brand.name}
      </Link>
      <Text
        className="page-muted"
        style={{ color: palette.pageMuted, fontSize: "14px", lineHeight: "20px", margin: "2px 0 0" }}
      >
        {brand.tagline}
      </Text>
    </Section>
  );
}

interface FooterProps {
  brand: Brand;
  palette: Palette;
  recipient: string | null;
  unsubscribeUrl: string | null;
  because?: string;
}

function Footer({ brand, palette, recipient, unsubscribeUrl, because }: FooterProps) {
  const small = { color: palette.pageMuted, fontSize: "13px", lineHeight: "20px" };
  const what = recipient === null ? "You get this mail" : `This mail was sent to ${recipient}`;
  return (
    <Section style={{ padding: "20px 4px 0", overflowWrap: "anywhere" }}>
      <Text className="page-muted" style={{ ...small, margin: "0 0 8px" }}>
        {`${what} because ${because ?? `you subscribed to ${brand.name}`}.`}
      </Text>
      {unsubscribeUrl === null ? null : (
        <Text className="page-muted" style={{ ...small, margin: "0 0 8px" }}>
          <Link className="page-muted" href={unsubscribeUrl} style={{ ...small, textDecoration: "underline" }}>
            Unsubscribe
          </Link>
        </Text>
      )}
      <Text className="page-muted" style={{ ...small, margin: 0 }}>
        {brand.postalAddress}
      </Text>
    </Section>
  );
}

function clipPreview(preview: string): string {
  let clipped = "";
  for (const character of preview) {
    if (clipped.length + character.length > previewMaxLength) break;
    clipped += character;
  }
  return clipped;
}

/** What inline styles cannot say. Mail clients that drop it show the light, wide version. */
function styleSheet({ dark }: Theme): string {
  const color = (selector: string, value: string) => `${selector}{color:${value}!important}`;
  const fill = (selector: string, value: string) => `${selector}{background-color:${value}!important}`;
  return [
    ":root{color-scheme:light dark}",
    "@media (max-width:480px){.pad{padding:26px 20px 28px!important}.button{display:block!important;text-align:center!important}}",
    "@media (prefers-color-scheme:dark){",
    // Body puts its colour on the cell of the table around the mail as well.
    fill(".page,.page>table>tbody>tr>td", dark.page),
    fill(".card", dark.card),
    `.card,.item{border-color:${dark.border}!important}`,
    color(".page-text", dark.pageText),
    color(".page-muted", dark.pageMuted),
    color(".text", dark.text),
    color(".muted", dark.muted),
    color(".link", dark.link),
    "}",
  ].join("");
}
