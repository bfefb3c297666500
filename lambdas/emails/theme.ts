import type { Brand } from "../core/station.ts";

/** WCAG 2.2 AA for text of normal size. */
export const minimumContrast = 4.5;

/** The colours of one colour scheme. `page` lies around the white or dark `card`; each text colour is readable on its ground. */
export interface Palette {
  page: string;
  pageText: string;
  pageMuted: string;
  card: string;
  text: string;
  muted: string;
  link: string;
  border: string;
}

export interface Theme {
  light: Palette;
  dark: Palette;
  button: { background: string; text: string };
}

/** A brand colour in another notation than `#rrggbb`. */
export class InvalidBrandColor extends Error {
  override name = "InvalidBrandColor";
}

type Rgb = readonly [red: number, green: number, blue: number];

function parseColor(color: string): Rgb {
  const digits = /^#([0-9a-f]{6})$/i.exec(color)?.[1];
  if (digits === undefined) {
    throw new InvalidBrandColor(`brand.colors has "${color}": write it as #rrggbb in station.config.ts`);
  }
  const value = Number.parseInt(digits, 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** `share` 0 gives `from`, 1 gives `to`. */
function mix(from: string, to: string, share: number): string {
  const target = parseColor(to);
  const channels = parseColor(from).map((channel, index) => {
    const mixed = Math.round(channel + ((target[index] ?? 0) - channel) * share);
    return mixed.toString(16).padStart(2, "0");
  });
  return `#${channels.join("")}`;
}

/** Relative luminance, 0 for black to 1 for white, as WCAG defines it. */
function luminance(color: string): number {
  const [red, green, blue] = parseColor(color);
  const linear = (channel: number) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

/** WCAG contrast ratio of two `#rrggbb` colours, 1 to 21. */
export function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function blackOrWhite(background: string): string {
  return contrast("#ffffff", background) >= contrast("#000000", background) ? "#ffffff" : "#000000";
}

/** `wanted`, pulled towards black or white only as far as it must be to be readable on `background`. */
function readable(wanted: string, background: string): string {
  const extreme = blackOrWhite(background);
  for (let share = 0; share < 1; share += 0.05) {
    const color = mix(wanted, extreme, share);
    if (contrast(color, background) >= minimumContrast) return color;
  }
  return extreme;
}

function paletteOf(colors: { page: string; card: string; text: string; primary: string }): Palette {
  const { page, card, text, primary } = colors;
  return {
    page,
    pageText: readable(text, page),
    pageMuted: readable(mix(text, page, 0.3), page),
    card,
    text: readable(text, card),
    muted: readable(mix(text, card, 0.3), card),
    link: readable(primary, card),
    border: mix(card, text, 0.14),
  };
}

/** Works out the mail's colours from the brand's three, so that any brand colour gives readable text. Throws InvalidBrandColor. */
export function themeOf({ colors }: Brand): Theme {
  const { primary, background, text } = colors;
  return {
    light: paletteOf({ page: background, card: "#ffffff", text, primary }),
    dark: paletteOf({ page: "#161514", card: "#22201f", text: "#f0eeea", primary }),
    button: {
      background: primary,
      text: readable(contrast("#ffffff", primary) >= minimumContrast ? "#ffffff" : text, primary),
    },
  };
}
