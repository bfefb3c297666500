import { Button, Column, Heading, Link, Row, Section, Text } from "@react-email/components";
import { Fragment, type ReactNode } from "react";
import { siteLink } from "./links.ts";
import { useMail } from "./mail.ts";

/** Where a button leads: a path of the brand's site, or a whole address that is used as it is. */
export type Target = { path: string } | { url: string };

/** The mail's one button. */
export function CallToAction({ label, ...target }: { label: string } & Target) {
  const { brand, campaign, theme } = useMail();
  return (
    <Section style={{ paddingTop: "12px" }}>
      <Button
        className="button"
        href={"url" in target ? target.url : siteLink(brand, target.path, campaign)}
        style={{
          backgroundColor: theme.button.background,
          borderRadius: "8px",
          color: theme.button.text,
          fontSize: "16px",
          fontWeight: 600,
          padding: "14px 24px",
        }}
      >
        {label}
      </Button>
    </Section>
  );
}

export function Paragraph({ children }: { children: ReactNode }) {
  const { theme } = useMail();
  return (
    <Text
      className="text"
      style={{ color: theme.light.text, fontSize: "16px", lineHeight: "25px", margin: "4px 0 16px" }}
    >
      {children}
    </Text>
  );
}

/** Heading between groups of items. */
export function GroupHeading({ children }: { children: ReactNode }) {
  const { theme } = useMail();
  return (
    <Heading
      as="h2"
      className="text"
      style={{ color: theme.light.text, fontSize: "19px", lineHeight: "26px", margin: "20px 0 12px" }}
    >
      {children}
    </Heading>
  );
}

interface ItemProps {
  /** Small print above the title. */
  note?: string;
  title: string;
  /** Path on the brand's site that the title links to. */
  path?: string;
  /** "h3" below a GroupHeading. */
  level?: "h2" | "h3";
  children: ReactNode;
}

/** A boxed title with a line or two below it. */
export function Item({ note, title, path, level = "h2", children }: ItemProps) {
  const { brand, campaign, theme } = useMail();
  const { light } = theme;
  const titleStyle = { fontSize: "17px", fontWeight: 600, lineHeight: "24px" };
  return (
    <Section style={{ paddingBottom: "12px" }}>
      <Row className="item" style={{ border: `1px solid ${light.border}`, borderRadius: "8px" }}>
        <Column style={{ padding: "14px 18px 16px" }}>
          {note === undefined ? null : (
            <Text
              className="muted"
              style={{ color: light.muted, fontSize: "13px", lineHeight: "20px", margin: "0 0 2px" }}
            >
              {note}
            </Text>
          )}
          <Heading as={level} className="text" style={{ ...titleStyle, color: light.text, margin: "0 0 4px" }}>
            {path === undefined ? (
              title
            ) : (
              <Link
                className="link"
                href={siteLink(brand, path, campaign)}
                style={{ ...titleStyle, color: light.link, textDecoration: "underline" }}
              >
                {title}
              </Link>
            )}
          </Heading>
          <Text className="text" style={{ color: light.text, fontSize: "15px", lineHeight: "23px", margin: 0 }}>
            {children}
          </Text>
        </Column>
      </Row>
    </Section>
  );
}

/** Labelled values, one a line; a value that is missing or empty takes its line with it. */
export function Facts({ facts }: { facts: Record<string, string | null | undefined> }) {
  const { theme } = useMail();
  return (
    <Section style={{ paddingBottom: "10px" }}>
      {Object.entries(facts).map(([label, value]) =>
        value ? (
          <Text
            key={label}
            className="text"
            style={{ color: theme.light.text, fontSize: "16px", lineHeight: "24px", margin: "0 0 6px" }}
          >
            <strong>{label}:</strong> {value}
          </Text>
        ) : null,
      )}
    </Section>
  );
}

/** What somebody wrote, set apart from our own words; its line breaks are kept. */
export function Quote({ children }: { children: string }) {
  const { light } = useMail().theme;
  const lines = children.split("\n").map((line, index) => ({ line, key: `${index} ${line}` }));
  return (
    <Section style={{ padding: "4px 0 16px" }}>
      <Row className="item" style={{ border: `1px solid ${light.border}`, borderRadius: "8px" }}>
        <Column style={{ padding: "14px 18px 16px" }}>
          <Text className="text" style={{ color: light.text, fontSize: "15px", lineHeight: "23px", margin: 0 }}>
            {lines.map(({ line, key }, index) => (
              <Fragment key={key}>
                {index > 0 ? <br /> : null}
                {line}
              </Fragment>
            ))}
          </Text>
        </Column>
      </Row>
    </Section>
  );
}

/** A one-time code, to be read and typed. */
export function OneTimeCode({ code }: { code: string }) {
  const { light } = useMail().theme;
  return (
    <Text
      className="text"
      style={{
        color: light.text,
        fontFamily: "ui-monospace, Menlo, Consolas, monospace",
        fontSize: "30px",
        fontWeight: 700,
        letterSpacing: "4px",
        lineHeight: "38px",
        margin: "4px 0 16px",
      }}
    >
      {code}
    </Text>
  );
}
