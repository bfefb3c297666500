/**
 * The text within `maximum` UTF-16 units, an ellipsis at the end where it was cut. No code point is cut in two; and
 * since a code point has one unit or two, the result is within a limit that counts either.
 */
export function clip(text: string, maximum: number): string {
  const trimmed = text.trim();
  if (trimmed.length <= maximum) return trimmed;
  let kept = "";
  for (const point of trimmed) {
    if (kept.length + point.length > maximum - 1) break;
    kept += point;
  }
  return `${kept.trimEnd()}…`;
}
