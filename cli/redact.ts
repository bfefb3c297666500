/** What opens an account by itself: the one-time links and codes of the mails of Supabase Auth. */
const credentialNames = /^(link|code)$|token|secret|password/i;

const address = /([^\s"'<>(),:;=/@])[^\s"'<>(),:;=/@]*@([a-z\d-]+(?:\.[a-z\d-]+)+)/gi;

/** `jane@example.com` becomes `j***@example.com`: enough to recognise whom one looks for, too little to write to. */
export const redactText = (text: string): string => text.replaceAll(address, "$1***@$2");

/** The same value without addresses and one-time credentials. */
export function redact(value: unknown): unknown {
  if (typeof value === "string") return redactText(value);
  if (Array.isArray(value)) return value.map(redact);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [
      name,
      typeof part === "string" && credentialNames.test(name) ? "[hidden]" : redact(part),
    ]),
  );
}
