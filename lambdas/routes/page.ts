import type { Brand } from "../core/station.ts";

/** A page in the brand's colours; `content` is HTML, with everything foreign in it escaped. */
export function page({ name, colors }: Brand, content: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escaped(name)}: unsubscribe</title>
<style>
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; font: 16px/1.5 system-ui, sans-serif;
    background: ${escaped(colors.background)}; color: ${escaped(colors.text)}; }
  main { max-width: 26rem; margin: 1rem; padding: 2rem; border-radius: 12px; background: #fff; color: #1f1e1d; }
  h1 { font-size: 1.4rem; margin: 0 0 .5rem; }
  button { font: inherit; font-weight: 600; padding: .6rem 1.2rem; border: 0; border-radius: 8px; cursor: pointer;
    background: #1f1e1d; color: #fff; }
  a { color: inherit; }
</style>
</head>
<body><main>${content}</main></body>
</html>`;
}

/** Text as it may stand in HTML, attribute values included. */
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
