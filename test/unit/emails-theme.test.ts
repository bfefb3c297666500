import { expect, test } from "vitest";
import type { Brand } from "../../lambdas/core/station.ts";
import { contrast, InvalidBrandColor, minimumContrast, themeOf } from "../../lambdas/emails/theme.ts";

function brandOf(colors: Brand["colors"]): Brand {
  const siteUrl = "https://directory.example.com";
  return { name: "Directory", siteUrl, tagline: "", digestTopic: "Things", postalAddress: "", colors };
}

test("contrast is WCAG's: 21 for black on white, 1 for a colour on itself, whichever comes first", () => {
  expect(contrast("#000000", "#ffffff")).toBeCloseTo(21, 5);
  expect(contrast("#ffffff", "#000000")).toBeCloseTo(21, 5);
  expect(contrast("#777777", "#ffffff")).toBeCloseTo(4.478, 3);
  expect(contrast("#d97757", "#d97757")).toBe(1);
});

test.for([
  ["a bright brand", { primary: "#ffee00", background: "#ffffff", text: "#bbbbbb" }],
  ["a dark brand", { primary: "#101010", background: "#0b0b10", text: "#000000" }],
  ["a middle brand", { primary: "#808080", background: "#808080", text: "#808080" }],
] as const)("all text of %s is readable, light and dark", ([, colors]) => {
  const { light, dark, button } = themeOf(brandOf(colors));
  const pairs: [string, string][] = [[button.text, button.background]];
  for (const { page, pageText, pageMuted, card, text, muted, link } of [light, dark]) {
    pairs.push([pageText, page], [pageMuted, page], [text, card], [muted, card], [link, card]);
  }
  for (const [ink, ground] of pairs) {
    expect(contrast(ink, ground), `${ink} on ${ground}`).toBeGreaterThanOrEqual(minimumContrast);
  }
});

test("a brand colour that is readable already is used as it is", () => {
  const { light, button } = themeOf(brandOf({ primary: "#2255aa", background: "#f4f4f4", text: "#202020" }));
  expect(light).toMatchObject({ page: "#f4f4f4", text: "#202020", link: "#2255aa" });
  expect(button).toEqual({ background: "#2255aa", text: "#ffffff" });
});

test("a colour in another notation is refused, with the notation to use", () => {
  const brand = brandOf({ primary: "tomato", background: "#ffffff", text: "#000000" });
  expect(() => themeOf(brand)).toThrow(InvalidBrandColor);
  expect(() => themeOf(brand)).toThrow('"tomato": write it as #rrggbb in station.config.ts');
});
